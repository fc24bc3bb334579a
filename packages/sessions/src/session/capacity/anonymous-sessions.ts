import { tooManyRequests } from '../../errors.js';
import type { ClientKey } from '../../limits/client-key.js';
import { Counter } from '../../limits/counter.js';
import { FairEviction } from '../../limits/fair-eviction.js';
import type { Clock } from '../../time/clock.js';
import type { SessionRef } from '../ids.js';

export interface AnonymousSessionsOptions {
  readonly clock: Clock;
  /** The maximum number of sessions of one address without a login so far. */
  readonly maxPerAddress: number;
  /** Whether the client of a session is present. */
  readonly isPresent: (ref: SessionRef) => boolean;
}

/** The quota key of sessions without a known address or user. */
const UNKNOWN = '';
/**
 * The time without a request after which a session without a login so far may be evicted for another one of its
 * address.
 */
const MIN_IDLE_MS = 10 * 60_000;

/** The sessions without a login: the order of their eviction, and the maximum for each address. */
export class AnonymousSessions {
  readonly #options: AnonymousSessionsOptions;
  readonly #shares = new FairEviction<SessionRef>();
  readonly #lastUsedAtMs = new Map<SessionRef, number>();
  /** The number of sessions that are being created for each address. */
  readonly #starting = new Counter<ClientKey>();

  constructor(options: AnonymousSessionsOptions) {
    this.#options = options;
  }

  /** The number of sessions without a login. */
  get size(): number {
    return this.#lastUsedAtMs.size;
  }

  /** @param quotaKey the address or user that the session counts for; after a sign-out, its last account */
  add(ref: SessionRef, quotaKey: string = UNKNOWN): void {
    this.#shares.add(ref, quotaKey);
    this.#lastUsedAtMs.set(ref, this.#options.clock.now());
  }

  has(ref: SessionRef): boolean {
    return this.#shares.has(ref);
  }

  /** Notes a request of the session's client. */
  touch(ref: SessionRef): void {
    const quotaKey = this.delete(ref);
    if (quotaKey !== undefined) this.add(ref, quotaKey);
  }

  /** @returns the quota key of the session; `undefined` if it is not in this collection */
  delete(ref: SessionRef): string | undefined {
    this.#lastUsedAtMs.delete(ref);
    return this.#shares.delete(ref);
  }

  /** Counts a session that is being created. @returns a function to call when it is created */
  starting(clientKey: ClientKey): () => void {
    this.#starting.add(clientKey, 1);
    return () => this.#starting.add(clientKey, -1);
  }

  /** The session to evict on a full node: the longest idle one of the quota key with the most sessions. */
  evictionCandidate(): SessionRef | undefined {
    const [longestIdle] = this.#shares.largest();
    return longestIdle;
  }

  /**
   * The session to evict for another one of its address; `undefined` below the maximum.
   * @throws SessionError `too_many_requests` if all of them are in use
   */
  evictionCandidateOf(clientKey: ClientKey): SessionRef | undefined {
    const { maxPerAddress: mostPerPeer, isPresent, clock } = this.#options;
    const share = this.#shares.of(clientKey);
    if (share.size + this.#starting.get(clientKey) < mostPerPeer) return undefined;
    const longestIdle = [...share].find((ref) => !isPresent(ref));
    const lastUsedAtMs = longestIdle && this.#lastUsedAtMs.get(longestIdle);
    const waitMs = (lastUsedAtMs ?? clock.now()) + MIN_IDLE_MS - clock.now();
    if (waitMs <= 0) return longestIdle;
    throw tooManyRequests(
      'Too many sessions of your address wait for their users to log in. Log in to one of them, or end one.',
      Math.ceil(waitMs / 1000),
    );
  }
}
