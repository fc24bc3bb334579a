import { SessionError } from '../errors.js';

/** Nobody is logged in at a provider that a call needs; what a model reads then. */
export function loginRequired(provider: string): SessionError {
  return new SessionError(
    'login_required',
    `Nobody is logged in at "${provider}" here yet. Call the \`login\` tool with provider "${provider}", then repeat this call.`,
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
    `The login at "${provider}" has expired or was revoked. Call the \`login\` tool with provider "${provider}" to log in again.`,
    { cause },
  );
}

/** Why an access token could not be renewed although the login is good. */
export type RenewalTrouble = 'provider_unavailable' | 'provider_refused';

/** The token has run out and cannot be renewed right now; the login is not lost. */
export function notRenewed(
  provider: string,
  trouble: RenewalTrouble,
  retryAfterSeconds: number,
  cause?: unknown,
): SessionError {
  const seconds = Math.max(1, Math.ceil(retryAfterSeconds));
  const what =
    trouble === 'provider_unavailable'
      ? `"${provider}" cannot be reached to renew it`
      : `"${provider}" refuses to renew it, for a reason that its operator or that of this server has to mend`;
  return new SessionError(
    trouble,
    `The access token has run out and ${what}. The login is kept; try again in ${seconds} seconds.`,
    { retryAfterSeconds: seconds, cause },
  );
}
