import { SessionError } from '../errors.js';
import type { RefreshError } from './session-events.js';
import type { SignOutReason } from './session-record.js';

/**
 * The error of a call that needs a login at a provider. Models read the message.
 * @param signedOut why the last login of the session ended; absent if there was none
 */
export function loginRequired(provider: string, signedOut?: SignOutReason): SessionError {
  const what = signedOut ? loginEnded(signedOut) : `No user is logged in at "${provider}".`;
  return new SessionError(
    'login_required',
    `${what} Call the \`login\` tool with provider "${provider}", then repeat this call.`,
  );
}

/** Why the login of a session has ended, as a sentence. */
export function loginEnded(reason: SignOutReason): string {
  return `The login here has ended: ${SIGN_OUT_TEXTS[reason]}.`;
}

const SIGN_OUT_TEXTS: Readonly<Record<SignOutReason, string>> = {
  logout: 'the user logged out',
  idle: 'it was not used for too long',
  absolute: 'it reached its longest lifetime',
  disconnect: 'this client was disconnected for too long',
  operator: 'the operator of this server ended it',
  account_cap: 'its user has logged in to too many other sessions since',
  other_user: 'another user has logged in to the session',
  provider_logout: 'the user logged out at the provider',
};

/** The error of a 2026 request that names no session. */
export function sessionRequired(): SessionError {
  return new SessionError(
    'login_required',
    'This call names no session. Pass the `session` that `login` returned; if you have none, call `login` first.',
  );
}

/** The login lacks scopes that a call requires. */
export function scopesRequired(provider: string, scopes: readonly string[]): SessionError {
  const lacking = JSON.stringify(scopes);
  return new SessionError(
    'login_required',
    `The login at "${provider}" lacks the scopes ${lacking}, which this call requires. Call the \`login\` tool with provider "${provider}" and scopes ${lacking}, then repeat this call.`,
  );
}

/** The provider did not grant scopes that a login requested. A login that does not ask again would end the same. */
export function scopesRefused(provider: string, scopes: readonly string[]): SessionError {
  return new SessionError(
    'login_required',
    `The user is logged in at "${provider}", but the provider did not grant the scopes ${JSON.stringify(scopes)}, which this call requires. Tell the user. To ask again, call the \`login\` tool with provider "${provider}" and renew: true; if the scopes are refused again, the operator of this server has to allow them in its registration at the provider.`,
  );
}

/** What an API demands, and the login does not have. */
interface LackingLogin {
  /** The scopes that the login lacks; none if it has to be a stronger one. */
  readonly scopes?: readonly string[] | undefined;
  /** The origin of the API. Absent if a tool says so. */
  readonly origin?: string | undefined;
}

/** An API demands more than the login has. The next login requests it. */
export function stepUpRequired(provider: string, { scopes, origin }: LackingLogin): SessionError {
  const subject = origin === undefined ? 'This call' : `The API at ${origin}`;
  const what = scopes ? `the scopes ${JSON.stringify(scopes)}` : 'a stronger login';
  return new SessionError(
    'login_required',
    `${subject} requires ${what}. Call the \`login\` tool with provider "${provider}", then repeat this call.`,
  );
}

/** The login has what an API demands, and the API still refuses it. */
export function stepUpUseless(provider: string): SessionError {
  return new SessionError(
    'login_required',
    `The login at "${provider}" has what the API requires, and the API still refuses the call. Tell the user. To log in again, for example as another user, call the \`login\` tool with provider "${provider}" and renew: true.`,
  );
}

/** An API rejected the access token, and could reject the next one. */
export function tokenRejected(provider: string): SessionError {
  return new SessionError(
    'reauthentication_required',
    `The API no longer accepts the login at "${provider}". Call the \`login\` tool with provider "${provider}" to log in again, then repeat this call.`,
  );
}

/** The error of a call whose grant has ended at the provider. It needs a new login. */
export function reauthenticationRequired(provider: string, cause?: unknown): SessionError {
  return new SessionError(
    'reauthentication_required',
    `The login at "${provider}" has expired or was revoked. Call the \`login\` tool with provider "${provider}" to log in again, then repeat this call.`,
    { cause },
  );
}

/** Why an access token could not be refreshed although the login is valid. */
export type RenewalFailureReason = 'provider_unavailable' | 'provider_refused';

/**
 * The access token has expired and cannot be refreshed now; the login is kept.
 * @param cause the error of the refresh, whose OAuth error code is part of the message
 */
export function notRenewed(
  provider: string,
  failureReason: RenewalFailureReason,
  retryAfterSeconds: number,
  cause?: unknown,
): SessionError {
  const seconds = Math.max(1, Math.ceil(retryAfterSeconds));
  const oauthError = oauthErrorOf(cause);
  const what =
    failureReason === 'provider_unavailable'
      ? `the provider "${provider}" is not available`
      : `the provider "${provider}" rejected the refresh${oauthError ? ` (${oauthError})` : ''}. If it is refused again, the operator has to check the client registration: the log has the reason`;
  return new SessionError(
    failureReason,
    `The access token has expired, and ${what}. Try again in ${seconds} seconds, or call the \`login\` tool with provider "${provider}" to log in again; the current login is kept until then.`,
    { retryAfterSeconds: seconds, cause },
  );
}

const REFRESH_ERRORS = [
  'invalid_request',
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
] as const satisfies readonly RefreshError[];

/** The OAuth error code of a rejected refresh. Other texts of a provider reach neither the model nor the log. */
export function oauthErrorOf(cause: unknown): RefreshError | undefined {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if (!('error' in error)) continue;
    const code = REFRESH_ERRORS.find((known) => known === error.error);
    if (code) return code;
  }
  return undefined;
}
