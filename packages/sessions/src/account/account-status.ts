import type { AccountFailureReason, AccountRecord } from '../session/session-record.js';

/** An account, for its user. */
export interface AccountStatus {
  readonly provider: string;
  readonly state: 'authenticated' | 'pending' | 'reauthentication_required';
  readonly reason?: AccountFailureReason;
  readonly subject?: string;
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly accessTokenExpiresInSeconds?: number;
  readonly nextRefreshInSeconds?: number;
}

/** Describes an account, with times counted from `nowMs`. */
export function accountStatus(account: AccountRecord, nowMs: number): AccountStatus {
  const { provider, state, failureReason, subject, name, scopes, expiresAtMs, refreshAtMs, hasRefreshToken } =
    account;
  const seconds = (atMs: number) => Math.max(0, Math.round((atMs - nowMs) / 1000));
  return {
    provider,
    state,
    ...(failureReason && { reason: failureReason }),
    subject,
    ...(name !== undefined && { name }),
    scopes,
    ...(expiresAtMs !== undefined && { accessTokenExpiresInSeconds: seconds(expiresAtMs) }),
    ...(refreshAtMs !== undefined && hasRefreshToken && { nextRefreshInSeconds: seconds(refreshAtMs) }),
  };
}
