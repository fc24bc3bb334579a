import type { AccountRecord } from './session-record.js';

/**
 * Whether the tokens of an account can be used.
 *
 * - `good`: the access token is valid, or a refresh renews it.
 * - `at_risk`: the last refresh failed, and the access token is valid until it expires; or an API rejected the refreshed
 *   access token, and others may accept it.
 * - `expired`: the access token has expired and could not be renewed. A new login helps at once; a later refresh may.
 */
export type AccountHealth = 'good' | 'at_risk' | 'expired';

/** The health of an account whose state is `authenticated`. */
export function accountHealth(account: AccountRecord, nowMs: number): AccountHealth {
  const { expiresAtMs, failures = 0, failureReason, hasRefreshToken } = account;
  const hasFailed = failures > 0 || failureReason === 'token_rejected';
  const isOver = expiresAtMs !== undefined && nowMs >= expiresAtMs;
  if (isOver && (hasFailed || !hasRefreshToken)) return 'expired';
  return hasFailed ? 'at_risk' : 'good';
}
