import type { ProviderFailureReason } from '../session/provider-failure-texts.js';

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
export interface TokenAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>> | 'too-large' | undefined;
  /** A page for browsers, such as that of a maintenance, a load balancer or a single-page application. */
  readonly isHtml: boolean;
  /** Whether `WWW-Authenticate` asks for the credentials of the client (RFC 6749 section 5.2). */
  readonly asksForClient: boolean;
  /** The error code of RFC 6749 section 5.2, with any status. */
  readonly error: string | undefined;
  /** The explanation of RFC 6749 section 5.2, for the log. */
  readonly errorDescription?: string | undefined;
  /** The time between two polls of the device flow that the provider demands. */
  readonly intervalSeconds?: number | undefined;
  /** Everything that the provider says of the error, in lower case, for the comparison only. */
  readonly description: string;
}

export interface TokenAnswerRow {
  /** Describes the response, for the documentation. */
  readonly answer: string;
  /** @param tokenTypes the values of `token_type` that are accepted, in lower case */
  readonly fits: (answer: TokenAnswer, tokenTypes: ReadonlySet<string>) => boolean;
  readonly outcome: TokenOutcome;
  /** In the log and in events. Absent for tokens. */
  readonly reason?: ProviderFailureReason;
}

/** `invalid_grant`, its variants, and the errors that require the user (OpenID Connect Core 3.1.2.6). */
const DEAD_GRANT = new Set([
  'invalid_grant',
  'bad_refresh_token',
  'bad_verification_code',
  'invalid_refresh_token',
  'refresh_token_expired',
  'expired_token',
  'token_expired',
  'token_revoked',
  'invalid_token',
  // Zoho.
  'invalid_code',
  'interaction_required',
  'login_required',
  'consent_required',
  'account_selection_required',
]);
/** Errors of an overloaded provider. */
const BUSY = new Set(['temporarily_unavailable', 'server_error', 'slow_down']);
/** Other names of `invalid_client`: GitHub, Slack, Zoho. */
const OTHER_CLIENT_ERRORS = [
  'incorrect_client_credentials',
  'bad_client_secret',
  'invalid_client_id',
  'invalid_client_secret',
];
const CLIENT_ERRORS = new Set(['invalid_client', 'unauthorized_client', ...OTHER_CLIENT_ERRORS]);
/** HubSpot and Strava say it without an OAuth error. */
const SAYS_CLIENT = /\bbad_client_(id|secret)\b|\bapplication client_(id|secret) invalid\b/;
/** Errors that concern the client or its request, whatever their description says. */
const REQUEST_ERRORS = new Set([
  ...OTHER_CLIENT_ERRORS,
  'invalid_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
]);

/**
 * Descriptions that name the token and say that it is dead. `grant_revoked` wipes tokens, so no looser word belongs
 * here, and nothing between the two but words that connect them: after every other description the tokens are kept,
 * and a login is offered all the same.
 */
const SAYS_DEAD = [
  /(refresh.?token|authorization.?code|\bgrant|passed for the token)([^\w:]+(code|token|is|was|has|been|it|that|you|or|either|already|provided|given|supplied|passed|used|missing|unknown|malformed|incorrect)\b){0,6}[^\w:]+(invalid|expired|revoked|not found)\b/,
  /\b(invalid|expired|revoked|bad)[ _.-]{1,3}(refresh.?token|authorization.?code|grant\b)(?!\W{1,3}(request|grant|flow)\b)/,
  /\bsession not (found|active)\b/,
];
/** Descriptions of something else: the client's registration or its request. */
const SAYS_REQUEST =
  /grant.?type|client.?(id|secret|assertion|credential|authentication)|\bscopes?\b|redirect.?ur[il]|\bresource\b/;

/**
 * The characters of a header field (RFC 9110 section 5.5): more than an access token may contain (RFC 6749 appendix
 * A.12).
 */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]+$/;

/** Maps the responses of token endpoints to outcomes. The first row that fits applies. */
export const TOKEN_ANSWERS: readonly TokenAnswerRow[] = [
  { answer: '429', fits: ({ status }) => status === 429, outcome: 'unavailable', reason: 'provider_busy' },
  { answer: '5xx', fits: ({ status }) => status >= 500, outcome: 'unavailable', reason: 'provider_busy' },
  {
    answer: 'HTML, with any status',
    fits: ({ isHtml }) => isHtml,
    outcome: 'unavailable',
    reason: 'html_answer',
  },
  {
    answer: '`invalid_grant`, or another name for it such as `login_required`, with any status below 500',
    fits: ({ error }) => error !== undefined && DEAD_GRANT.has(error),
    outcome: 'grant_revoked',
    reason: 'grant_rejected',
  },
  {
    answer: '`temporarily_unavailable`, `server_error` or `slow_down`',
    fits: ({ error }) => error !== undefined && BUSY.has(error),
    outcome: 'unavailable',
    reason: 'provider_busy',
  },
  {
    answer:
      'an error whose description says that the refresh token, the code or the grant is invalid, expired or revoked',
    fits: (answer) => isError(answer) && !REQUEST_ERRORS.has(answer.error ?? '') && saysDead(answer),
    outcome: 'grant_revoked',
    reason: 'grant_rejected',
  },
  {
    answer:
      '`invalid_client`, or another name for it such as `unauthorized_client`, or 401 that asks for the credentials of the client',
    fits: (answer) => rejectsClient(answer) || (answer.status === 401 && answer.asksForClient),
    outcome: 'refused',
    reason: 'client_rejected',
  },
  {
    answer: 'another OAuth error, such as `invalid_request`',
    fits: ({ error }) => error !== undefined,
    outcome: 'refused',
    reason: 'token_error',
  },
  {
    answer: '400 with fields, but no OAuth error among them',
    fits: ({ status, body }) => status === 400 && typeof body === 'object',
    outcome: 'refused',
    reason: 'token_error',
  },
  {
    answer: '400 without any fields: plain text, nothing',
    fits: ({ status, body }) => status === 400 && body === undefined,
    outcome: 'grant_revoked',
    reason: 'grant_rejected',
  },
  {
    answer: '401 with nothing, or without an OAuth error',
    fits: ({ status }) => status === 401,
    outcome: 'refused',
    reason: 'client_rejected',
  },
  {
    answer: 'another 4xx without an OAuth error, such as 403 of a firewall',
    fits: ({ status }) => status >= 400,
    outcome: 'refused',
    reason: 'token_error',
  },
  {
    answer: 'a redirect, which is not followed',
    fits: ({ status }) => status >= 300,
    outcome: 'refused',
    reason: 'token_error',
  },
  {
    answer: '2xx, too large to be read',
    fits: ({ body }) => body === 'too-large',
    outcome: 'lost',
    reason: 'token_answer_invalid',
  },
  {
    answer: '2xx without a readable body: plain text, nothing',
    fits: ({ body }) => !body,
    outcome: 'lost',
    reason: 'token_answer_invalid',
  },
  {
    answer: '2xx without an access token',
    fits: (answer) => textIn(answer, 'access_token') === undefined,
    outcome: 'lost',
    reason: 'token_answer_invalid',
  },
  {
    answer: '2xx with an access token that no HTTP header can carry',
    fits: (answer) => !HEADER_VALUE.test((textIn(answer, 'access_token') ?? '').trim()),
    outcome: 'lost',
    reason: 'token_answer_invalid',
  },
  {
    answer: '2xx with tokens of a kind that is not Bearer, nor one of `tokenTypes`',
    fits: (answer, tokenTypes) => {
      const type = textIn(answer, 'token_type');
      return type !== undefined && !tokenTypes.has(type.toLowerCase());
    },
    outcome: 'lost',
    reason: 'token_type',
  },
  { answer: '2xx with an access token', fits: () => true, outcome: 'granted' },
];

/**
 * Whether an error says that the token is dead, in words of its own (RFC 6749 section 5.2 knows `invalid_grant` only).
 */
export function saysDead({ error, description }: Pick<TokenAnswer, 'error' | 'description'>): boolean {
  if (error !== undefined && DEAD_GRANT.has(error)) return true;
  return !SAYS_REQUEST.test(description) && SAYS_DEAD.some((pattern) => pattern.test(description));
}

/** Whether an error says that the client is not the registered one. */
export function rejectsClient({ error, description }: Pick<TokenAnswer, 'error' | 'description'>): boolean {
  return error === undefined ? SAYS_CLIENT.test(description) : CLIENT_ERRORS.has(error);
}

function isError({ status, error, body }: TokenAnswer): boolean {
  return error !== undefined || (status >= 400 && typeof body === 'object');
}

export function textIn({ body }: TokenAnswer, name: string): string | undefined {
  const value = typeof body === 'object' ? body[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
