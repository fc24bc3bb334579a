import type { DueWork } from '../../session/due-sessions.js';
import type { SessionRef } from '../../session/ids.js';
import type { AccountRecord, SessionRecord } from '../../session/session-record.js';
import type { Clock } from '../../time/clock.js';

/** Refreshes the token set of an account; rejects if that fails. */
type RefreshAccount = (ref: SessionRef, provider: string, generation: number) => Promise<void>;

export interface RefreshSchedulerOptions {
  readonly clock: Clock;
  readonly refresh: RefreshAccount;
}

/** The delay before the next refresh if the last one did not change the account, as after an error of the store. */
const AGAIN_MS = 5000;

/**
 * Refreshes every account shortly before its access token expires, so that no call waits for it, and retries failed
 * refreshes. The account says when.
 */
export class RefreshScheduler implements DueWork {
  readonly #options: RefreshSchedulerOptions;
  readonly againMs: number = AGAIN_MS;

  constructor(options: RefreshSchedulerOptions) {
    this.#options = options;
  }

  dueAtMs(record: SessionRecord): number | undefined {
    let earliest: number | undefined;
    for (const account of scheduled(record)) {
      const atMs = refreshDueAtMs(account);
      if (atMs !== undefined && (earliest === undefined || atMs < earliest)) earliest = atMs;
    }
    return earliest;
  }

  run(record: SessionRecord): void {
    const now = this.#options.clock.now();
    for (const account of scheduled(record)) {
      if ((refreshDueAtMs(account) ?? Number.POSITIVE_INFINITY) > now) continue;
      // An event reports an error of the provider. After an error of the store, the account is due again.
      this.#options.refresh(record.ref, account.provider, account.generation).catch(() => undefined);
    }
  }
}

/** The accounts that are refreshed. Those of a pending handle move to a session handle first. */
function scheduled({ kind, accounts }: SessionRecord): readonly AccountRecord[] {
  if (kind === 'pending-handle') return [];
  return Object.values(accounts).filter(({ state }) => state === 'authenticated');
}

/** When an account is to be refreshed, or when its end is to be announced or applied. */
function refreshDueAtMs(account: AccountRecord): number | undefined {
  const { hasRefreshToken, refreshAtMs, expiresAtMs, isExpiryAnnounced, claim } = account;
  if (!hasRefreshToken) return isExpiryAnnounced ? expiresAtMs : refreshAtMs;
  // Another refresh may have sent the refresh token until then.
  return refreshAtMs === undefined || !claim ? refreshAtMs : Math.max(refreshAtMs, claim.untilMs);
}
