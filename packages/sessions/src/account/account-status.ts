import { accountHealth } from '../session/account-health.js';
import type { AccountFailureReason, AccountRecord } from '../session/session-record.js';

/** An account, for its user. */
export interface AccountStatus {
  readonly provider: string;
  /** `expired`: the access token has expired and could not be renewed so far. */
  readonly state: 'authenticated' | 'pending' | 'expired' | 'reauthentication_required';
  readonly reason?: AccountFailureReason;
  readonly subject?: string;
  readonly name?: string;
  readonly scopes?: readonly string[];
  /** The scopes that the login requested and the provider did not grant. */
  readonly refusedScopes?: readonly string[];
  /** The scopes that an API has demanded besides. */
  readonly requiredScopes?: readonly string[];
  /** Whether an API has demanded more than the login has: scopes, or a stronger login. */
  readonly requiresStepUp?: boolean;
  readonly accessTokenExpiresInSeconds?: number;
  readonly refreshExpiresInSeconds?: number;
  readonly nextRefreshInSeconds?: number;
}

/** Describes an account, with times counted from `nowMs`. */
export function accountStatus(account: AccountRecord, nowMs: number): AccountStatus {
  const { provider, state, failureReason, subject, name, scopes, refusedScopes, stepUp } = account;
  const { expiresAtMs, refreshExpiresAtMs, refreshAtMs, hasRefreshToken } = account;
  const isExpired = state === 'authenticated' && accountHealth(account, nowMs) === 'expired';
  const seconds = (atMs: number) => Math.max(0, Math.round((atMs - nowMs) / 1000));
  return {
    provider,
    state: isExpired ? 'expired' : state,
    ...(failureReason && { reason: failureReason }),
    subject,
    ...(name !== undefined && { name }),
    scopes,
    ...(refusedScopes && { refusedScopes }),
    ...(stepUp && { requiresStepUp: true }),
    ...(stepUp?.scopes && { requiredScopes: stepUp.scopes }),
    ...(expiresAtMs !== undefined && { accessTokenExpiresInSeconds: seconds(expiresAtMs) }),
    ...(hasRefreshToken &&
      refreshExpiresAtMs !== undefined && { refreshExpiresInSeconds: seconds(refreshExpiresAtMs) }),
    ...(hasRefreshToken && refreshAtMs !== undefined && { nextRefreshInSeconds: seconds(refreshAtMs) }),
  };
}
