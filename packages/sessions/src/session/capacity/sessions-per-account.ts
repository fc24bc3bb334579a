import type { SessionRef } from '../ids.js';
import { lastSeenAtMs } from '../lifetimes.js';
import type { InternalEvent } from '../session-events.js';
import { accountIndex } from '../session-index.js';
import { type AccountRecord, accountKeyOf, type SessionRecord } from '../session-record.js';
import type { SessionRegistry } from '../session-registry.js';

export interface SessionsPerAccountOptions {
  readonly registry: SessionRegistry;
  /** The maximum number of sessions that one account is logged in to. */
  readonly maxSessions: number;
  /** Called with the errors of the store that no caller waits for. */
  readonly onError: (error: unknown) => void;
}

/**
 * Limits the sessions that one account is logged in to. Above the maximum, the longest idle one is signed out. Without
 * the limit one account could fill a node, because sessions with a login are never evicted for others.
 */
export class SessionsPerAccount {
  readonly #options: SessionsPerAccountOptions;
  /** Accounts above the maximum that are being signed out, and whether one has logged in since. */
  readonly #signingOut = new Map<string, { hasNewLogin: boolean }>();

  constructor(options: SessionsPerAccountOptions) {
    this.#options = options;
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
    if (event.type !== 'account.authenticated' && event.type !== 'account.moved') return;
    this.#loggedIn(event).catch(this.#options.onError);
  }

  async #loggedIn({ provider, subject }: Account): Promise<void> {
    const account = { provider, subject };
    const key = accountKeyOf(account);
    const running = this.#signingOut.get(key);
    if (running) {
      running.hasNewLogin = true;
      return;
    }
    const state = { hasNewLogin: true };
    this.#signingOut.set(key, state);
    try {
      while (state.hasNewLogin) {
        state.hasNewLogin = false;
        await this.#makeRoom(account);
      }
    } finally {
      this.#signingOut.delete(key);
    }
  }

  async #makeRoom(account: Account): Promise<void> {
    const { registry, maxSessions } = this.#options;
    for (;;) {
      const refs = await registry.refsOf(accountIndex(account));
      if (refs.length <= maxSessions) return;
      const records = await this.#recordsOf(refs, account);
      if (records.length <= maxSessions) return;
      // The latest login stays, even if the clients of all others are present.
      const times = records
        .slice(0, -1)
        .map((record) => ({ record, atMs: lastSeenAtMs(record, registry.presenceOf(record.ref)) }));
      const { record } = times.reduce((longest, other) => (other.atMs < longest.atMs ? other : longest));
      await registry.signOut(record.ref, 'account_cap', (current) => isIn(current, account));
    }
  }

  async #recordsOf(refs: readonly SessionRef[], account: Account): Promise<SessionRecord[]> {
    const { registry } = this.#options;
    const records = await Promise.all(refs.map((ref) => registry.get(ref)));
    return records.flatMap((record) => (record && isIn(record, account) ? [record] : []));
  }
}

type Account = Pick<AccountRecord, 'provider' | 'subject'>;

function isIn({ accounts }: SessionRecord, { provider, subject }: Account): boolean {
  return accounts[provider]?.subject === subject;
}
