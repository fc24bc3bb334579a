import * as oidc from 'openid-client';
import type { ProviderFailureReason } from '../session/provider-failure-texts.js';
import {
  failureIn,
  type ProviderFailure,
  printable,
  redacted,
  withoutSecrets,
} from '../session/provider-failures.js';
import { inChain, networkFailureOf } from './network-failure.js';
import { metadataOf } from './server-metadata.js';
import { rejectsClient } from './token-answer-table.js';
import { retryAfterSecondsOf, TokenEndpointError } from './token-answers.js';
/** Where a request failed. */
export interface FailurePlace {
  readonly provider: string;
  readonly step: ProviderFailure['step'];
  /** The address of the request. */
  readonly endpoint?: string | undefined;
  /** What the request contained that no text may repeat. */
  readonly secrets?: readonly string[] | undefined;
}

/** What an error says about a failure. */
type Finding = Omit<ProviderFailure, 'provider' | 'step' | 'attempts'>;

const MAX_ERROR_LENGTH = 64;
const MAX_TEXT_LENGTH = 200;

/**
 * Converts what openid-client, undici or the reader of token answers throw. Everything that a provider wrote is made
 * printable and cut, and everything in its explanations that could be a token is removed.
 */
export function failureOf(error: unknown, place: FailurePlace): ProviderFailure {
  const known = failureIn(error);
  if (known) return known;
  const { provider, step, secrets = [] } = place;
  const shown = (text: string) =>
    printable(withoutSecrets(printable(text, 4 * MAX_TEXT_LENGTH), secrets), MAX_TEXT_LENGTH);
  const finding = findingOf(error, step);
  const endpoint = addressOf(finding.endpoint ?? place.endpoint);
  const { oauthError, oauthDescription, code, expected, received } = finding;
  return {
    provider,
    step,
    ...finding,
    ...(endpoint !== undefined && { endpoint }),
    ...(code !== undefined && { code: printable(code, MAX_ERROR_LENGTH) }),
    ...(oauthError !== undefined && { oauthError: errorCodeOf(oauthError, secrets) }),
    ...(oauthDescription !== undefined && {
      oauthDescription: redacted(oauthDescription, MAX_TEXT_LENGTH, secrets),
    }),
    ...(expected !== undefined && { expected: shown(expected) }),
    ...(received !== undefined && { received: shown(received) }),
  };
}

/** The error of the token endpoint in an error or one of its causes. */
export function tokenAnswerIn(error: unknown): TokenEndpointError | undefined {
  return inChain(error, isAnswer);
}

/** The address of each step's request in the metadata of a provider. */
export function endpointOf(step: ProviderFailure['step'], metadata: oidc.ServerMetadata): string | undefined {
  switch (step) {
    case 'authorization':
      return metadata.authorization_endpoint;
    case 'pushed_authorization':
      return metadata.pushed_authorization_request_endpoint;
    case 'token':
    case 'refresh':
      return metadata.token_endpoint;
    case 'user_info':
      return metadata.userinfo_endpoint;
    case 'revocation':
      return metadata.revocation_endpoint;
    case 'device':
      return metadata.device_authorization_endpoint;
    case 'introspection':
      return metadata.introspection_endpoint;
    case 'keys':
      return metadata.jwks_uri;
    case 'discovery':
      return undefined;
  }
}

/** Where a request to an endpoint of the metadata fails. */
export function placeOf(
  step: FailurePlace['step'],
  configuration: oidc.Configuration,
): Omit<FailurePlace, 'provider'> {
  return { step, endpoint: endpointOf(step, metadataOf(configuration)) };
}

/** The origin and path of an address: queries can contain secrets. */
export function addressOf(endpoint: string | undefined): string | undefined {
  if (endpoint === undefined || !URL.canParse(endpoint)) return undefined;
  const { origin, protocol, pathname } = new URL(endpoint);
  // Only some schemes have an origin (URL standard).
  return printable(`${origin === 'null' ? protocol : origin}${pathname}`, MAX_TEXT_LENGTH);
}

/** Codes are words in one letter case. Tokens have digits or both cases. */
const WORDS = /^([a-z_.: -]+|[A-Z_.: -]+)$/;

/** RFC 6749 section 5.2 allows printable ASCII. */
function errorCodeOf(error: string, secrets: readonly string[]): string {
  const code = withoutSecrets(error.slice(0, 4 * MAX_TEXT_LENGTH).replaceAll(/[^\x20-\x7e]/g, ''), secrets);
  return WORDS.test(code) ? printable(code, MAX_ERROR_LENGTH) : redacted(code, MAX_ERROR_LENGTH);
}

function findingOf(error: unknown, step: ProviderFailure['step']): Finding {
  const answered = tokenAnswerIn(error);
  if (answered) return ofTokenAnswer(answered);
  if (error instanceof oidc.AuthorizationResponseError) return ofAuthorizationResponse(error);
  if (error instanceof oidc.ResponseBodyError) return ofErrorBody(error);
  if (error instanceof oidc.WWWAuthenticateChallengeError) return ofStatus(error.response, step);
  if (error instanceof oidc.ClientError) {
    if (error.cause instanceof Response) return ofStatus(error.cause, step);
    const found = ofClientError(error);
    if (found) return found;
  }
  const network = networkFailureOf(error);
  if (network) return network;
  if (error instanceof oidc.ClientError) return { reason: invalidAt(step), outcome: 'refused' };
  return {
    reason: 'connection_lost',
    outcome: 'lost',
    code: error instanceof Error ? error.name : undefined,
  };
}

function ofTokenAnswer(answer: TokenEndpointError): Finding {
  const { outcome, retryAfterSeconds, status, error, errorDescription, tokenType } = answer;
  return {
    reason: answer.reason ?? tokenReasonOf(answer),
    outcome,
    status,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    ...(error !== undefined && { oauthError: error }),
    ...(errorDescription !== undefined && { oauthDescription: errorDescription }),
    ...(tokenType !== undefined && { received: redacted(tokenType, MAX_TEXT_LENGTH) }),
  };
}

function tokenReasonOf({ outcome, error, status }: TokenEndpointError): ProviderFailureReason {
  switch (outcome) {
    case 'unavailable':
      return 'provider_busy';
    case 'grant_revoked':
      return 'grant_rejected';
    case 'lost':
      return 'token_answer_invalid';
    case 'refused':
      return isClientError(error) || (error === undefined && status === 401)
        ? 'client_rejected'
        : 'token_error';
  }
}

function isClientError(error: string | undefined): boolean {
  return rejectsClient({ error, description: '' });
}

/** The names under which providers report that the user said no. The last two are LinkedIn's. */
const DENIALS: ReadonlySet<string> = new Set([
  'access_denied',
  'authorization_declined',
  'consent_denied',
  'user_cancelled_login',
  'user_cancelled_authorize',
]);

function ofAuthorizationResponse({ error, error_description }: oidc.AuthorizationResponseError): Finding {
  const isDenial = DENIALS.has(error);
  return {
    reason: isDenial ? 'authorization_denied' : 'authorization_error',
    outcome: isDenial ? 'denied' : 'refused',
    oauthError: error,
    ...(error_description !== undefined && { oauthDescription: error_description }),
  };
}

/** An OAuth error of another endpoint than that for tokens. */
function ofErrorBody({ error, error_description, response }: oidc.ResponseBodyError): Finding {
  const { status } = response;
  const isBusy = status === 429 || status >= 500;
  const retryAfterSeconds = retryAfterSecondsOf(response);
  return {
    reason: isBusy ? 'provider_busy' : isClientError(error) ? 'client_rejected' : 'token_error',
    outcome: isBusy ? 'unavailable' : 'refused',
    status,
    oauthError: error,
    ...(error_description !== undefined && { oauthDescription: error_description }),
    ...(isBusy && retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}

/** An answer without a body that could be read. */
function ofStatus(response: Response, step: ProviderFailure['step']): Finding {
  const { status } = response;
  if (status === 429 || status >= 500) {
    const retryAfterSeconds = retryAfterSecondsOf(response);
    return {
      reason: 'provider_busy',
      outcome: 'unavailable',
      status,
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    };
  }
  return { reason: reasonOfStatus(response, step), outcome: response.ok ? 'lost' : 'refused', status };
}

function reasonOfStatus(response: Response, step: ProviderFailure['step']): ProviderFailureReason {
  const { status, ok, headers } = response;
  if (step === 'discovery') return 'discovery_failed';
  if (step === 'keys') return 'keys_failed';
  if (headers.get('content-type')?.includes('html')) return 'html_answer';
  if (ok) return invalidAt(step);
  if (step === 'user_info')
    return status === 401 || status === 403 ? 'user_info_rejected' : 'user_info_failed';
  return status === 401 ? 'client_rejected' : 'token_error';
}

/** The reason of an answer that is not what its request asks for. */
function invalidAt(step: ProviderFailure['step']): ProviderFailureReason {
  switch (step) {
    case 'discovery':
      return 'metadata_invalid';
    case 'keys':
      return 'keys_invalid';
    case 'authorization':
    case 'token':
      return 'response_invalid';
    case 'user_info':
      return 'user_info_invalid';
    default:
      return 'token_answer_invalid';
  }
}

/** An error of openid-client about the metadata or an ID token. */
function ofClientError({ code, cause }: oidc.ClientError): Finding | undefined {
  const details = detailsIn(cause);
  switch (code) {
    case 'OAUTH_HTTP_REQUEST_FORBIDDEN':
    case 'OAUTH_REQUEST_PROTOCOL_FORBIDDEN':
      return {
        reason: 'endpoint_insecure',
        outcome: 'refused',
        ...(details instanceof URL && { endpoint: details.href }),
      };
    case 'OAUTH_MISSING_SERVER_METADATA':
    case 'OAUTH_INVALID_SERVER_METADATA':
      return { reason: 'endpoint_missing', outcome: 'refused' };
    case 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED':
      return { reason: 'issuer_mismatch', outcome: 'refused', claim: 'issuer', ...issuersIn(details) };
    default:
      return undefined;
  }
}

/** What openid-client and oauth4webapi attach to their errors. */
function detailsIn(cause: unknown): unknown {
  return cause instanceof Error ? cause.cause : cause;
}

function issuersIn(details: unknown): { expected?: string; received?: string } {
  if (typeof details !== 'object' || details === null || !('expected' in details && 'body' in details))
    return {};
  const { expected, body } = details;
  const received = typeof body === 'object' && body !== null && 'issuer' in body ? body.issuer : undefined;
  return {
    ...(typeof expected === 'string' && { expected }),
    ...(typeof received === 'string' && { received }),
  };
}

function isAnswer(error: Error): error is TokenEndpointError {
  return error instanceof TokenEndpointError;
}
