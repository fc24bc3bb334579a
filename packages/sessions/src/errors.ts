/**
 * Why a session could not do what was asked. Stable: programs may branch on it.
 *
 * - `login_required`: nobody is logged in here, or not at that provider.
 * - `reauthentication_required`: the login has died at the provider; only a new one helps.
 * - `login_failed`: the login that was asked for cannot go on.
 * - `unknown_provider`: no provider has that name here.
 * - `signed_out`: the session was signed out while this object was still in use.
 * - `provider_unavailable`: the provider did not answer, or answered with an error of its own.
 * - `store_unavailable`: the session store did not answer.
 * - `provider_refused`: the provider answered, and the answer cannot be used.
 * - `origin_not_allowed`: a token was about to leave for an origin that is not configured.
 * - `limit_reached`: a limit of this server; trying again later helps.
 * - `too_many_requests`: this client, or its address, has asked for more than it may; trying again later helps.
 * - `no_request`: asked for the current session outside of a request.
 * - `configuration`: the options contradict themselves or are incomplete.
 * - `sealed_record_invalid`: a sealed record was changed, or does not belong where it was found.
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

export interface SessionErrorOptions extends ErrorOptions {
  /** When trying again makes sense, in seconds. Absent: unknown. */
  readonly retryAfterSeconds?: number | undefined;
}

/** The one error of this library. Its message is written for whoever reads it, and says what to do next. */
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

/** An error in the author's code, for the log. The message contains no text from a client, a user or a provider. */
export class AuthorError extends Error {
  override readonly name = 'AuthorError';
}

/** The session was signed out, or has ended, since it was handed out. */
export function signedOut(): SessionError {
  return new SessionError(
    'signed_out',
    'This session was signed out. Call the `login` tool to log in again.',
  );
}
