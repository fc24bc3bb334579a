import type { SessionRef } from '../ids.js';
import { lastSeenAtMs } from '../lifetimes.js';
import type { InternalEvent } from '../session-events.js';
import { accountKeyOf, type SessionRecord } from '../session-record.js';
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
  /** The sessions of each account, the latest login last. The account may have logged out of some of them. */
  readonly #sessionsOf = new Map<string, Set<SessionRef>>();
  readonly #accountsOf = new Map<SessionRef, Set<string>>();
  /** Accounts above the maximum that are being signed out. */
  readonly #signingOut = new Set<string>();

  constructor(options: SessionsPerAccountOptions) {
    this.#options = options;
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
    switch (event.type) {
      case 'account.authenticated':
      case 'account.moved':
        this.#loggedIn(event.ref, event.provider).catch(this.#options.onError);
        return;
      case 'session.signed_out':
      case 'session.ended':
        for (const account of this.#accountsOf.get(event.ref) ?? []) this.#forget(event.ref, account);
        return;
      default:
    }
  }

  async #loggedIn(ref: SessionRef, provider: string): Promise<void> {
    const { registry } = this.#options;
    const account = (await registry.get(ref))?.accounts[provider];
    if (!account) return;
    const key = accountKeyOf(account);
    this.#forget(ref, key);
    this.#sessionsOf.set(key, this.#of(key).add(ref));
    this.#accountsOf.set(ref, (this.#accountsOf.get(ref) ?? new Set()).add(key));
    // A session that has ended in the meantime emits no more events, so its entry would stay.
    if (!(await registry.has(ref))) this.#forget(ref, key);
    await this.#makeRoom(key);
  }

  async #makeRoom(account: string): Promise<void> {
    if (this.#signingOut.has(account)) return;
    this.#signingOut.add(account);
    try {
      while (this.#of(account).size > this.#options.maxSessions) await this.#signOutOne(account);
    } finally {
      this.#signingOut.delete(account);
    }
  }

  async #signOutOne(account: string): Promise<void> {
    // The latest login stays, even if the clients of all others are present.
    const earlier = [...this.#of(account)].slice(0, -1);
    const times = await Promise.all(
      earlier.map(async (ref) => ({ ref, atMs: await this.#lastUsedAtMs(ref, account) })),
    );
    const { ref } = times.reduce((longest, other) => (other.atMs < longest.atMs ? other : longest));
    await this.#options.registry.signOut(ref, 'account_cap', (record) => isIn(record, account));
    this.#forget(ref, account);
  }

  /** 0 for a session that the account has logged out of: it goes first. */
  async #lastUsedAtMs(ref: SessionRef, account: string): Promise<number> {
    const { registry } = this.#options;
    const record = await registry.get(ref);
    return record && isIn(record, account) ? lastSeenAtMs(record, registry.presenceOf(ref)) : 0;
  }

  #of(account: string): Set<SessionRef> {
    return this.#sessionsOf.get(account) ?? new Set();
  }

  #forget(ref: SessionRef, account: string): void {
    const sessions = this.#of(account);
    sessions.delete(ref);
    if (sessions.size === 0) this.#sessionsOf.delete(account);
    const accounts = this.#accountsOf.get(ref);
    accounts?.delete(account);
    if (accounts?.size === 0) this.#accountsOf.delete(ref);
  }
}

function isIn({ accounts }: SessionRecord, account: string): boolean {
  return Object.values(accounts).some((one) => accountKeyOf(one) === account);
}
