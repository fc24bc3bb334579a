import type { SessionRef } from '../ids.js';
import { lastSeenAtMs } from '../lifetimes.js';
import type { InternalEvent } from '../session-events.js';
import { accountKeyOf, type SessionRecord } from '../session-record.js';
import type { SessionRegistry } from '../session-registry.js';

export interface SessionsPerAccountOptions {
  readonly registry: SessionRegistry;
  /** How many sessions one account may be logged in to. */
  readonly maxSessions: number;
  /** Hears of a store that failed when nobody was waiting for it. */
  readonly onError: (error: unknown) => void;
}

/**
 * How many sessions one account may be logged in to: one more, and it is signed out of the longest unheard of them.
 * A session that somebody is logged in to never makes room for anybody else's, so one account could fill a node.
 */
export class SessionsPerAccount {
  readonly #options: SessionsPerAccountOptions;
  /** The sessions that each account has logged in to, the latest login last. It may have left some of them. */
  readonly #sessionsOf = new Map<string, Set<SessionRef>>();
  readonly #accountsOf = new Map<SessionRef, Set<string>>();
  /** Accounts that are being signed out of what is too much. */
  readonly #leaving = new Set<string>();

  constructor(options: SessionsPerAccountOptions) {
    this.#options = options;
  }

  /** Follows an event. Call it for each one. */
  handle(event: InternalEvent): void {
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
    // Of one that has ended meanwhile, nothing would be heard any more.
    if (!account || !registry.has(ref)) return;
    const key = accountKeyOf(account);
    this.#forget(ref, key);
    this.#sessionsOf.set(key, this.#of(key).add(ref));
    this.#accountsOf.set(ref, (this.#accountsOf.get(ref) ?? new Set()).add(key));
    await this.#makeRoom(key);
  }

  async #makeRoom(account: string): Promise<void> {
    if (this.#leaving.has(account)) return;
    this.#leaving.add(account);
    try {
      while (this.#of(account).size > this.#options.maxSessions) await this.#leaveOne(account);
    } finally {
      this.#leaving.delete(account);
    }
  }

  async #leaveOne(account: string): Promise<void> {
    // The latest login stays, even if the clients of all others are present.
    const earlier = [...this.#of(account)].slice(0, -1);
    const heard = await Promise.all(
      earlier.map(async (ref) => ({ ref, atMs: await this.#heardAtMs(ref, account) })),
    );
    const { ref } = heard.reduce((longest, other) => (other.atMs < longest.atMs ? other : longest));
    await this.#options.registry.signOut(ref, 'account_cap', (record) => isIn(record, account));
    this.#forget(ref, account);
  }

  /** What the account has left already goes first. */
  async #heardAtMs(ref: SessionRef, account: string): Promise<number> {
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
