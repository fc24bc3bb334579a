/**
 * The cause of a {@link SessionError}. The codes are stable, so that programs can branch on them.
 *
 * - `login_required`: no user is logged in to the session, or not at this provider.
 * - `reauthentication_required`: the provider no longer accepts the login. The user has to log in again.
 * - `login_failed`: the login cannot be completed.
 * - `unknown_provider`: no configured provider has this name.
 * - `signed_out`: the session was signed out, or has ended, while the object was in use.
 * - `provider_unavailable`: the provider did not answer, or answered with a server error.
 * - `store_unavailable`: the session store did not answer.
 * - `provider_refused`: the answer of the provider is an error, or is invalid.
 * - `origin_not_allowed`: the origin of the request is not one of the provider's API origins.
 * - `limit_reached`: a limit of this server is reached. Retry later.
 * - `too_many_requests`: this client, or its address, has sent too many requests. Retry later.
 * - `no_request`: `context.session()` was called outside of a request.
 * - `configuration`: the options are invalid.
 * - `sealed_record_invalid`: a sealed record was modified, or is not the one that belongs to this place.
 */
export type SessionErrorCode =
  | 'login_required'
  | 'reauthentication_required'
  | 'login_failed'
  | 'unknown_provider'
  | 'signed_out'
  | 'provider_unavailable'
  | 'store_unavailable'
  | 'provider_refused'
  | 'origin_not_allowed'
  | 'limit_reached'
  | 'too_many_requests'
  | 'no_request'
  | 'configuration'
  | 'sealed_record_invalid';

/** Options of a {@link SessionError}, besides its `cause`. */
export interface SessionErrorOptions extends ErrorOptions {
  /** The number of seconds after which a retry can succeed. Absent: unknown. */
  readonly retryAfterSeconds?: number | undefined;
}

/** The error class of this library. The message says what happened and what to do. */
export class SessionError extends Error {
  override readonly name = 'SessionError';
  readonly code: SessionErrorCode;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: SessionErrorCode, message: string, options: SessionErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** An error in the code of a tool, for the log. The message contains no text from a client, a user or a provider. */
export class AuthorError extends Error {
  override readonly name = 'AuthorError';
}

/** The error of a session object whose session was signed out, or has ended. */
export function signedOut(): SessionError {
  return new SessionError(
    'signed_out',
    'This session was signed out. Call the `login` tool to log in again.',
  );
}

/** The error of a store that did not answer. It is not known whether the call took effect. */
export function storeUnavailable(cause: unknown): SessionError {
  return new SessionError('store_unavailable', 'The session store did not answer. Try again in a moment.', {
    cause,
    retryAfterSeconds: 1,
  });
}

/** The error of a name that is no configured provider's. It does not repeat the name, which may be a client's. */
export function unknownProvider(names: Iterable<string>): SessionError {
  return new SessionError('unknown_provider', `Unknown provider. Use one of: ${[...names].join(', ')}.`);
}

/**
 * The error for a client that has exceeded a limit.
 * @param message a sentence that names the limit
 */
export function tooManyRequests(message: string, retryAfterSeconds: number): SessionError {
  return new SessionError('too_many_requests', `${message} Try again in ${formatWait(retryAfterSeconds)}.`, {
    retryAfterSeconds,
  });
}

/** A waiting time in words. Above two minutes it is rounded up to whole minutes. */
export function formatWait(seconds: number): string {
  if (seconds > 120) return `${Math.ceil(seconds / 60)} minutes`;
  return seconds === 1 ? 'a second' : `${seconds} seconds`;
}
