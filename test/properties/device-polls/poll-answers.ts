import { connectionError } from '../../../packages/sessions/src/testing/provider-faults.js';

/** What an answer means for the login. */
type Meaning =
  /** The user has not decided, or the provider is not available. The login goes on. */
  | 'pending'
  | 'failed'
  /** The login ends, with these words for the user. */
  | RegExp;

/** An answer of the token endpoint to a poll (RFC 8628 section 3.5). */
export interface PollAnswer {
  readonly meaning: Meaning;
  /** Whether the interval grows by five seconds from now on. */
  readonly slowsDown?: boolean;
  /** The interval from now on, if it is longer (GitHub). */
  readonly intervalSeconds?: number;
  readonly retryAfterSeconds?: number;
  /** Whether no response comes: the interval has to grow. */
  readonly isSilent?: boolean;
  readonly respond: (signal: AbortSignal | null | undefined) => Response | Promise<Response>;
}

/** What the client of a login reads that has ended, by its reason. */
export const ENDS = {
  declined: /^The user declined to log in\. Ask them before you try again\./,
  expired: /^The login was not completed in time\./,
  unusable: /^The identity provider could not complete the login\..* If it fails again, tell the operator/,
  rejected:
    /^The identity provider rejected the login, or its response was not valid\..* If it fails again, tell the operator of this server/,
} as const;

const json = (body: unknown, status = 400, headers: Record<string, string> = {}) =>
  Response.json(body, { status, headers });
const text = (body: string, type: string, status: number) =>
  new Response(body, { status, headers: { 'content-type': type } });
const page = (status: number) => text('<!doctype html><title>Maintenance</title>', 'text/html', status);
const error = (code: string, status = 400) => ({ respond: () => json({ error: code }, status) });
const dropped = (code: string): PollAnswer => ({
  meaning: 'failed',
  isSilent: true,
  respond: () => Promise.reject(connectionError(code)),
});
const retryAfter = (seconds: number, status: number, body: unknown = {}) => ({
  retryAfterSeconds: seconds,
  respond: () => json(body, status, { 'retry-after': `${seconds}` }),
});

/** A body that breaks off. */
function broken(): Response {
  const body = new ReadableStream({
    pull: (controller) => controller.error(connectionError('ECONNRESET')),
  });
  return new Response(body, { headers: { 'content-type': 'application/json' } });
}

function never(signal: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The answers of real providers, and odd ones. */
export const ANSWERS: Readonly<Record<string, PollAnswer>> = {
  authorization_pending: { meaning: 'pending', ...error('authorization_pending') },
  'authorization_pending, 428 (Google)': { meaning: 'pending', ...error('authorization_pending', 428) },
  'authorization_pending, 200 (GitHub)': { meaning: 'pending', ...error('authorization_pending', 200) },
  'authorization_pending, Retry-After': {
    meaning: 'pending',
    ...retryAfter(30, 400, { error: 'authorization_pending' }),
  },
  slow_down: { meaning: 'pending', slowsDown: true, ...error('slow_down') },
  'slow_down, 403 (Google)': { meaning: 'pending', slowsDown: true, ...error('slow_down', 403) },
  'slow_down, 429 (Auth0)': { meaning: 'pending', slowsDown: true, ...error('slow_down', 429) },
  'slow_down with an interval (GitHub)': {
    meaning: 'pending',
    slowsDown: true,
    intervalSeconds: 25,
    respond: () => json({ error: 'slow_down', interval: 25 }, 200),
  },
  'slow_down, Retry-After': {
    meaning: 'pending',
    slowsDown: true,
    ...retryAfter(45, 400, { error: 'slow_down' }),
  },
  '429, Retry-After': { meaning: 'pending', slowsDown: true, ...retryAfter(40, 429) },
  '500': { meaning: 'failed', respond: () => new Response(null, { status: 500 }) },
  '502 with HTML': { meaning: 'failed', respond: () => page(502) },
  '503, Retry-After': { meaning: 'failed', ...retryAfter(50, 503) },
  'HTML, 200': { meaning: 'failed', respond: () => page(200) },
  'HTML, 400': { meaning: 'failed', respond: () => page(400) },
  server_error: { meaning: 'failed', ...error('server_error') },
  'a refused connection': dropped('ECONNREFUSED'),
  'a dropped connection': dropped('ECONNRESET'),
  'a body that breaks off': { meaning: 'failed', isSilent: true, respond: broken },
  'no answer': { meaning: 'failed', isSilent: true, respond: never },
  'an empty object, 200': { meaning: ENDS.unusable, respond: () => json({}, 200) },
  'null, 200': { meaning: ENDS.unusable, respond: () => json(null, 200) },
  'a list, 200': { meaning: ENDS.unusable, respond: () => json([{ access_token: 'a' }], 200) },
  'a token of another kind': {
    meaning: ENDS.unusable,
    respond: () => json({ access_token: 'a', token_type: 'User Access Token' }, 200),
  },
  'an access token that is a number': {
    meaning: ENDS.unusable,
    respond: () => json({ access_token: 1 }, 200),
  },
  'JSON that breaks off, 200': {
    meaning: ENDS.unusable,
    respond: () => text('{"access_token":"a', 'application/json', 200),
  },
  access_denied: { meaning: ENDS.declined, ...error('access_denied') },
  'access_denied, 403': { meaning: ENDS.declined, ...error('access_denied', 403) },
  'authorization_declined (Entra ID)': { meaning: ENDS.declined, ...error('authorization_declined') },
  expired_token: { meaning: ENDS.expired, ...error('expired_token') },
  'expired_token, 200 (GitHub)': { meaning: ENDS.expired, ...error('expired_token', 200) },
  invalid_grant: { meaning: ENDS.rejected, ...error('invalid_grant') },
  invalid_client: { meaning: ENDS.rejected, ...error('invalid_client', 401) },
  unsupported_grant_type: { meaning: ENDS.rejected, ...error('unsupported_grant_type') },
  'an unknown error': { meaning: ENDS.rejected, ...error('brewing', 418) },
  'an error that is a number': { meaning: ENDS.rejected, respond: () => json({ error: 42 }) },
  'an empty object, 400': { meaning: ENDS.rejected, respond: () => json({}) },
  'a list, 400': { meaning: ENDS.rejected, respond: () => json(['authorization_pending']) },
  'nothing, 400': { meaning: ENDS.rejected, respond: () => new Response(null, { status: 400 }) },
  'a plain text, 404': { meaning: ENDS.rejected, respond: () => text('Not here', 'text/plain', 404) },
};
