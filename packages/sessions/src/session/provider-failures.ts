import { SessionError } from '../errors.js';
import { FAILURE_TEXTS, KNOWN_OAUTH_ERRORS, type ProviderFailureReason } from './provider-failure-texts.js';

/** A failed request to a provider, or an answer of one that is not valid. Contains no secret. */
export interface ProviderFailure {
  readonly provider: string;
  readonly step:
    | 'discovery'
    | 'authorization'
    | 'pushed_authorization'
    | 'token'
    | 'refresh'
    | 'user_info'
    | 'revocation'
    | 'device'
    | 'introspection'
    | 'keys';
  readonly reason: ProviderFailureReason;
  /**
   * - `denied`: the user or the provider denied the login (RFC 6749 section 4.1.2.1).
   * - `grant_revoked`: the code or refresh token is not valid any more.
   * - `unavailable`: the provider did nothing; the request may be repeated.
   * - `lost`: the provider may have carried the request out, and its response was lost.
   * - `refused`: the provider rejected the request; repeating it at once does not help.
   */
  readonly outcome: 'denied' | 'grant_revoked' | 'unavailable' | 'lost' | 'refused';
  /** The origin and path of the request's address. */
  readonly endpoint?: string | undefined;
  /** The HTTP status of the answer, or of the proxy that refused the connection. */
  readonly status?: number | undefined;
  /** The code of the network error, such as `ENOTFOUND` or `CERT_HAS_EXPIRED`. */
  readonly code?: string | undefined;
  /** RFC 6749 sections 4.1.2.1 and 5.2. At most 64 characters. */
  readonly oauthError?: string | undefined;
  /** The provider's own explanation, without what could be a token. At most 200 characters. */
  readonly oauthDescription?: string | undefined;
  /** The claim, parameter or field that is not as expected. */
  readonly claim?: string | undefined;
  /** At most 200 characters; absent for secrets such as `nonce`. */
  readonly expected?: string | undefined;
  readonly received?: string | undefined;
  /** The addresses that discovery tried, and what each answered. At most four. */
  readonly attempts?: readonly { readonly endpoint: string; readonly answered: string }[] | undefined;
  /** The delay that the provider asks for. */
  readonly retryAfterSeconds?: number | undefined;
}

/** The waiting time in the message of a failure that passes, unless the provider names one. */
const RETRY_AFTER_SECONDS = 60;

/** A failure of a provider. The message is for models and users: it contains no text of the provider. */
export class ProviderError extends SessionError {
  readonly failure: ProviderFailure;

  constructor(failure: ProviderFailure, options: ErrorOptions = {}) {
    const isTransient = failure.outcome === 'unavailable' || failure.outcome === 'lost';
    super(isTransient ? 'provider_unavailable' : 'provider_refused', messageOf(failure, isTransient), {
      ...options,
      ...(isTransient && { retryAfterSeconds: failure.retryAfterSeconds ?? RETRY_AFTER_SECONDS }),
    });
    this.failure = failure;
  }
}

/** The failure in an error or one of its causes. */
export function failureIn(error: unknown): ProviderFailure | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof ProviderError) return current.failure;
  }
  return undefined;
}

/** The reasons of requests without a response. */
const UNREACHABLE: ReadonlySet<ProviderFailureReason> = new Set([
  'name_not_resolved',
  'connection_failed',
  'connection_lost',
  'timeout',
  'certificate_untrusted',
  'tls_failed',
]);

function messageOf(failure: ProviderFailure, isTransient: boolean): string {
  const { provider, outcome, reason } = failure;
  if (outcome === 'denied')
    return `The login at "${provider}" was declined. Ask the user before you try again.`;
  const state = UNREACHABLE.has(reason) ? 'cannot be reached' : `cannot be used${isTransient ? ' now' : ''}`;
  const what = `The identity provider "${provider}" ${state}: ${shortTextOf(reason, failure.oauthError)}.`;
  if (isTransient) return `${what} Try again in a minute. If that fails, ${tellOperator(reason)}`;
  const setting = settingFor(failure) ?? 'its configuration';
  return `${what} Ask the operator of this server to check ${setting}: the log has the reason \`${reason}\`.`;
}

/** What to do if a request to a provider fails again, for models and users, and what the operator finds. */
export function tellOperator(reason: ProviderFailureReason | undefined): string {
  return `tell the operator of this server: the log has the reason${reason ? ` \`${reason}\`` : ''}.`;
}

/** Why it failed, in a few words for models and users, with the OAuth error if it is one that a standard defines. */
export function shortTextOf(reason: ProviderFailureReason, oauthError?: string): string {
  const known = oauthError !== undefined && KNOWN_OAUTH_ERRORS.has(oauthError);
  return `${FAILURE_TEXTS[reason].short}${known ? ` (${oauthError})` : ''}`;
}

/** The options or environment variables that can end a failure; absent if none can. */
export function settingFor(failure: ProviderFailure): string | undefined {
  const { reason, step, claim, oauthError, received } = failure;
  switch (reason) {
    case 'id_token_algorithm':
      // No list of algorithms can contain it.
      return received?.toLowerCase() === 'none' ? 'identitySource' : FAILURE_TEXTS[reason].setting;
    case 'id_token_claim':
      return SETTINGS_OF_CLAIMS.get(claim ?? '') ?? FAILURE_TEXTS[reason].setting;
    case 'authorization_error':
    case 'token_error':
      return SETTINGS_OF_OAUTH_ERRORS.get(oauthError ?? '') ?? FAILURE_TEXTS[reason].setting;
    case 'client_rejected':
      // Only this request contains a `code_verifier`, which some providers reject as `invalid_client`.
      return step === 'token' ? `${FAILURE_TEXTS[reason].setting}, pkce` : FAILURE_TEXTS[reason].setting;
    case 'endpoint_missing':
      if (step === 'device') return 'deviceFlow';
      return step === 'user_info' ? 'scopes, identitySource' : FAILURE_TEXTS[reason].setting;
    case 'grant_rejected':
      // The redirect URI of the token request depends on it.
      return step === 'token' ? 'publicUrl' : undefined;
    default:
      return FAILURE_TEXTS[reason].setting;
  }
}

const SETTINGS_OF_CLAIMS: ReadonlyMap<string, string> = new Map([
  ['nonce', 'nonce'],
  ['aud', 'idTokenAudiences'],
  ['azp', 'idTokenAudiences'],
  ['exp', 'clockToleranceSeconds'],
  ['nbf', 'clockToleranceSeconds'],
  ['iat', 'clockToleranceSeconds'],
  ['iss', 'issuer'],
]);

const SETTINGS_OF_OAUTH_ERRORS: ReadonlyMap<string, string> = new Map([
  ['invalid_scope', 'scopes'],
  ['invalid_target', 'resource'],
  ['unauthorized_client', 'clientId'],
  ['server_error', 'scopes, authorizationParams'],
  ['consent_required', 'authorizationParams'],
  ['interaction_required', 'authorizationParams'],
  ['login_required', 'authorizationParams'],
  ['account_selection_required', 'authorizationParams'],
]);

/** A failure as a sentence for operators. */
export function describeFailure(failure: ProviderFailure): string {
  const { provider, step, reason } = failure;
  const setting = settingFor(failure);
  const { short, advice } = FAILURE_TEXTS[reason];
  const whatToDo = setting === undefined ? advice : `Change ${setting}: ${advice}`;
  return `${WHAT_FAILED[step]} "${provider}" failed: ${short}. ${whatToDo}`;
}

const WHAT_FAILED: Readonly<Record<ProviderFailure['step'], string>> = {
  discovery: 'The discovery of',
  authorization: 'A login at',
  pushed_authorization: 'A login at',
  token: 'A login at',
  user_info: 'A login at',
  device: 'A login at',
  refresh: 'A refresh at',
  revocation: 'A revocation at',
  introspection: 'An introspection at',
  keys: 'The request for the keys of',
};

/** Removes characters that are not printable, and cuts the text. */
export function printable(text: string, maxLength: number): string {
  // Cut first: the rest may be large. A code point has at most two UTF-16 units.
  const clean = text.slice(0, 4 * maxLength).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '');
  return [...clean].slice(0, maxLength).join('');
}

/** Tokens of some providers have other characters than those of a JWT, such as `*`, `!`, `|` or `%`. */
const TOKEN_CHARACTER = String.raw`[^\s"'<>()[\]{},;:]`;
const CUT_TOKEN = new RegExp(`${TOKEN_CHARACTER}+$`);
const TOKEN = new RegExp(`${TOKEN_CHARACTER}{20,}`, 'g');

/**
 * `printable`, with everything replaced that could be a token, a code or a key.
 * @param secrets what the request contained, which is replaced however short it is
 */
export function redacted(text: string, maxLength: number, secrets: readonly string[] = []): string {
  const start = printable(text, 4 * maxLength);
  // The cut may leave a part of a token, which is too short to be recognized as one.
  const whole = start.length < text.length ? start.replace(CUT_TOKEN, '') : start;
  return printable(withoutSecrets(whole, secrets).replaceAll(TOKEN, '…'), maxLength);
}

/** A shorter secret is replaced unless it is a part of a word, which it may be by accident. */
const MIN_ANYWHERE_LENGTH = 8;

/** Replaces secrets in a text, also if they are encoded for a form or a URL. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const forms = new Set(secrets.flatMap(encodingsOf));
  // The longest first: one may contain another.
  const longestFirst = [...forms].filter(Boolean).sort((one, other) => other.length - one.length);
  return longestFirst.reduce((rest, secret) => rest.replaceAll(patternOf(secret), '…'), text);
}

function encodingsOf(secret: string): string[] {
  const form = new URLSearchParams({ secret }).toString().slice('secret='.length);
  return [secret, form, form.replaceAll('+', '%20')];
}

function patternOf(secret: string): RegExp {
  const literal = secret.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
  const letter = String.raw`[\p{L}\p{N}]`;
  const isShort = secret.length < MIN_ANYWHERE_LENGTH;
  return new RegExp(isShort ? `(?<!${letter})${literal}(?!${letter})` : literal, 'gu');
}
