import { SessionError } from '../errors.js';

const RETRY_AFTER_SECONDS = 10;

/** Nobody is logged in; what a model reads then. */
export function loginRequired(): SessionError {
  return new SessionError(
    'login_required',
    'Nobody is logged in here yet. Call the `login` tool, then repeat this call.',
  );
}

/** A 2026 request that names no session: the model has none yet, or left it out. */
export function sessionRequired(): SessionError {
  return new SessionError(
    'login_required',
    'This call names no session. Pass the `session` that `login` returned; if you have none, call `login` first.',
  );
}

/** The grant is dead: only a new login helps. */
export function reauthenticationRequired(provider: string, cause?: unknown): SessionError {
  return new SessionError(
    'reauthentication_required',
    `The login at "${provider}" has expired or was revoked. Call the \`login\` tool to log in again.`,
    { cause },
  );
}

/** The token has run out and cannot be renewed right now; the login is not lost. */
export function providerUnavailable(
  provider: string,
  retryAfterSeconds: number | undefined,
  cause?: unknown,
): SessionError {
  const seconds = retryAfterSeconds ?? RETRY_AFTER_SECONDS;
  return new SessionError(
    'provider_unavailable',
    `The access token has run out and "${provider}" cannot be reached to renew it. The login is kept; try again in ${seconds} seconds.`,
    { retryAfterSeconds: seconds, cause },
  );
}
