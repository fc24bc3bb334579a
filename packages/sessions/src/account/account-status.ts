import type { AccountRecord, AccountTrouble } from '../session/session-record.js';

/** An account as its own user may see it. */
export interface AccountStatus {
  readonly provider: string;
  readonly state: 'authenticated' | 'pending' | 'reauthentication_required';
  readonly reason?: AccountTrouble;
  readonly subject?: string;
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly accessTokenExpiresInSeconds?: number;
  readonly nextRefreshInSeconds?: number;
}

/** Describes an account, with times counted from `nowMs`. */
export function accountStatus(account: AccountRecord, nowMs: number): AccountStatus {
  const { provider, state, trouble, subject, name, scopes, expiresAtMs, refreshAtMs, hasRefreshToken } =
    account;
  const seconds = (atMs: number) => Math.max(0, Math.round((atMs - nowMs) / 1000));
  return {
    provider,
    state,
    ...(trouble && { reason: trouble }),
    subject,
    ...(name !== undefined && { name }),
    scopes,
    ...(expiresAtMs !== undefined && { accessTokenExpiresInSeconds: seconds(expiresAtMs) }),
    ...(refreshAtMs !== undefined && hasRefreshToken && { nextRefreshInSeconds: seconds(refreshAtMs) }),
  };
}
