import { readLimitedText, TooLargeError } from '../limits/read-limited-text.js';
import type { ProviderFailureReason } from '../session/provider-failure-texts.js';

/** The largest token response that is read. */
const MAX_BYTES = 256 * 1024;
/** A century. A longer `expires_in` is ignored. */
const MAX_LIFETIME_SECONDS = 100 * 365 * 24 * 60 * 60;
const MAX_RETRY_AFTER_SECONDS = 3600;

/**
 * The outcome of a token request.
 *
 * - `granted`: the response contains tokens.
 * - `grant_revoked`: the code or refresh token is not valid any more.
 * - `unavailable`: the provider did nothing; the request may be repeated.
 * - `lost`: the provider may have issued tokens, and they are lost.
 * - `refused`: the provider did nothing; repeating the request at once does not help.
 */
export type TokenOutcome = 'granted' | 'grant_revoked' | 'unavailable' | 'lost' | 'refused';

/** The parts of a response that determine its outcome. */
interface TokenAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>> | 'too-large' | undefined;
  /** The error code of RFC 6749 section 5.2, with any status. */
  readonly error: string | undefined;
  /** The explanation of RFC 6749 section 5.2, for the log. */
  readonly errorDescription?: string | undefined;
}

interface TokenAnswerRow {
  /** Describes the response, for the documentation. */
  readonly answer: string;
  readonly fits: (answer: TokenAnswer) => boolean;
  readonly outcome: TokenOutcome;
  /** Default: the reason that its outcome and error have. */
  readonly reason?: ProviderFailureReason;
}

/** `invalid_grant`, its variants, and the errors that require the user (OpenID Connect Core 3.1.2.6). */
const DEAD_GRANT = new Set([
  'invalid_grant',
  'bad_refresh_token',
  'bad_verification_code',
  'invalid_refresh_token',
  'expired_token',
  'interaction_required',
  'login_required',
  'consent_required',
  'account_selection_required',
]);
/** Errors of an overloaded provider. */
const BUSY = new Set(['temporarily_unavailable', 'server_error', 'slow_down']);

/**
 * The characters of a header field (RFC 9110 section 5.5): more than an access token may contain (RFC 6749 appendix
 * A.12).
 */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]+$/;

/** Maps the responses of token endpoints to outcomes. The first row that fits applies. */
export const TOKEN_ANSWERS: readonly TokenAnswerRow[] = [
  { answer: '429', fits: ({ status }) => status === 429, outcome: 'unavailable' },
  { answer: '5xx', fits: ({ status }) => status >= 500, outcome: 'unavailable' },
  {
    answer: '`invalid_grant`, or another name for it such as `login_required`, with any status below 500',
    fits: ({ error }) => error !== undefined && DEAD_GRANT.has(error),
    outcome: 'grant_revoked',
  },
  {
    answer: '`temporarily_unavailable`, `server_error` or `slow_down`',
    fits: ({ error }) => error !== undefined && BUSY.has(error),
    outcome: 'unavailable',
  },
  {
    answer: 'another OAuth error, such as `invalid_client`',
    fits: ({ error }) => error !== undefined,
    outcome: 'refused',
  },
  {
    answer: '400 with fields, but no OAuth error among them',
    fits: ({ status, body }) => status === 400 && typeof body === 'object',
    outcome: 'refused',
  },
  {
    answer: '400 without any fields: HTML, nothing',
    fits: ({ status }) => status === 400,
    outcome: 'grant_revoked',
  },
  {
    answer: 'another 4xx without an OAuth error, such as 401, or 403 of a firewall',
    fits: ({ status }) => status > 400,
    outcome: 'refused',
  },
  { answer: 'a redirect, which is not followed', fits: ({ status }) => status >= 300, outcome: 'refused' },
  { answer: '2xx, too large to be read', fits: ({ body }) => body === 'too-large', outcome: 'lost' },
  { answer: '2xx without a readable body: HTML, nothing', fits: ({ body }) => !body, outcome: 'lost' },
  {
    answer: '2xx without an access token',
    fits: (answer) => !hasText(answer, 'access_token'),
    outcome: 'lost',
  },
  {
    answer: '2xx with an access token that no HTTP header can carry',
    fits: (answer) => !HEADER_VALUE.test(String(fieldOf(answer, 'access_token')).trim()),
    outcome: 'lost',
  },
  {
    answer: '2xx with tokens of a kind that is not Bearer',
    fits: (answer) =>
      hasText(answer, 'token_type') && !/^bearer$/i.test(String(fieldOf(answer, 'token_type'))),
    outcome: 'lost',
    reason: 'token_type',
  },
  { answer: '2xx with an access token', fits: () => true, outcome: 'granted' },
];

/** Corrections of common deviations from RFC 6749 section 5.1. */
const REPAIRS: Readonly<Record<string, (value: unknown) => unknown>> = {
  // The table refuses every other type.
  token_type: () => 'Bearer',
  refresh_token: textOrUndefined,
  id_token: textOrUndefined,
  scope: (value) => textOrUndefined(Array.isArray(value) ? value.join(' ') : value),
  expires_in: lifetimeOrUndefined,
};

/** A response of the token endpoint without tokens. */
export class TokenEndpointError extends Error {
  override readonly name = 'TokenEndpointError';
  readonly outcome: Exclude<TokenOutcome, 'granted'>;
  readonly retryAfterSeconds: number | undefined;
  readonly status: number | undefined;
  /** RFC 6749 section 5.2, RFC 8628 section 3.5. */
  readonly error: string | undefined;
  readonly errorDescription: string | undefined;
  readonly reason: ProviderFailureReason | undefined;

  constructor(
    outcome: Exclude<TokenOutcome, 'granted'>,
    answer: string,
    retryAfterSeconds?: number,
    {
      status,
      error,
      errorDescription,
      reason,
    }: Partial<Pick<TokenAnswer, 'status' | 'error' | 'errorDescription'>> &
      Pick<TokenAnswerRow, 'reason'> = {},
  ) {
    super(`The token endpoint responded: ${answer}.`);
    this.outcome = outcome;
    this.retryAfterSeconds = retryAfterSeconds;
    this.status = status;
    this.error = error;
    this.errorDescription = errorDescription;
    this.reason = reason;
  }
}

/** The field that hides an ID token from openid-client, which would discard the tokens if the ID token is not valid. */
export const UNCHECKED_ID_TOKEN = 'unchecked_id_token';

/**
 * Reads a response of the token endpoint, and converts it to the form that openid-client accepts.
 * @param keepsIdToken whether the ID token becomes the field {@link UNCHECKED_ID_TOKEN}, which the caller checks
 * @throws TokenEndpointError if the response contains no tokens
 */
export async function readTokenAnswer(response: Response, keepsIdToken: boolean): Promise<Response> {
  const answer = await answerOf(response);
  const row = TOKEN_ANSWERS.find(({ fits }) => fits(answer));
  if (row?.outcome !== 'granted') {
    throw new TokenEndpointError(
      row?.outcome ?? 'refused',
      row?.answer ?? '',
      retryAfterSecondsOf(response),
      { ...answer, ...(row?.reason && { reason: row.reason }) },
    );
  }
  const { id_token: idToken, ...tokens } = repaired(answer.body);
  return Response.json({
    ...tokens,
    ...(idToken !== undefined && { [keepsIdToken ? UNCHECKED_ID_TOKEN : 'id_token']: idToken }),
  });
}

async function answerOf(response: Response): Promise<TokenAnswer> {
  const { status, headers } = response;
  const type = headers.get('content-type') ?? '';
  // These statuses suffice. Reading a body that is slow or breaks would turn `unavailable` into `lost`.
  if (status === 429 || status >= 500) {
    void response.body?.cancel().catch(() => undefined);
    return { status, body: undefined, error: undefined };
  }
  try {
    const body = parse(await readLimitedText(response, MAX_BYTES), type);
    return {
      status,
      body,
      error: textOrUndefined(body?.error),
      errorDescription: textOrUndefined(body?.error_description),
    };
  } catch (error) {
    if (!(error instanceof TooLargeError)) throw error;
    return { status, body: 'too-large', error: undefined };
  }
}

/** Parses JSON, and the form encoding that some providers use (GitHub). */
function parse(text: string, type: string): Record<string, unknown> | undefined {
  if (type.startsWith('application/x-www-form-urlencoded'))
    return Object.fromEntries(new URLSearchParams(text));
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function repaired(body: TokenAnswer['body']): Record<string, unknown> {
  const fields: Record<string, unknown> = typeof body === 'object' ? { ...body } : {};
  for (const [name, repair] of Object.entries(REPAIRS)) {
    const value = repair(fields[name]);
    if (value === undefined) delete fields[name];
    else fields[name] = value;
  }
  return fields;
}

function textOrUndefined(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function lifetimeOrUndefined(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  const isLifetime = typeof seconds === 'number' && seconds > 0 && seconds <= MAX_LIFETIME_SECONDS;
  return isLifetime ? seconds : undefined;
}

function fieldOf({ body }: TokenAnswer, name: string): unknown {
  return typeof body === 'object' ? body[name] : undefined;
}

function hasText(answer: TokenAnswer, name: string): boolean {
  return textOrUndefined(fieldOf(answer, name)) !== undefined;
}

/** Reads `Retry-After` (RFC 9110 section 10.2.3), in seconds or as a date. */
export function retryAfterSecondsOf(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (!value) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds)
    ? Math.min(Math.max(Math.ceil(seconds), 0), MAX_RETRY_AFTER_SECONDS)
    : undefined;
}
