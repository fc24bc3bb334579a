import type { ClientKey } from '../../limits/client-key.js';
import { Counter } from '../../limits/counter.js';
import { FairEviction } from '../../limits/fair-eviction.js';
import { tooManyRequests } from '../../limits/too-many-requests.js';
import type { Clock } from '../../time/clock.js';
import type { SessionRef } from '../ids.js';

export interface AnonymousSessionsOptions {
  readonly clock: Clock;
  /** How many sessions one address may have in which nobody has ever logged in. */
  readonly maxPerAddress: number;
  /** Whether the client of a session is there. */
  readonly isPresent: (ref: SessionRef) => boolean;
}

/** Whose sessions are that are nobody's we know of. */
const NOBODY = '';
/** A session in which nobody has ever logged in makes room for another one of its address after so long without a request. */
const QUIET_MS = 10 * 60_000;

/** The sessions in which nobody is logged in: which of them has to make room, and how many one address may have. */
export class AnonymousSessions {
  readonly #options: AnonymousSessionsOptions;
  readonly #shares = new FairEviction<SessionRef>();
  readonly #heardAtMs = new Map<SessionRef, number>();
  /** How many are being started from an address. */
  readonly #starting = new Counter<ClientKey>();

  constructor(options: AnonymousSessionsOptions) {
    this.#options = options;
  }

  /** The number of sessions without a login. */
  get size(): number {
    return this.#heardAtMs.size;
  }

  /** @param quotaKey the address that it was started from, or its user; once somebody has logged in, the account */
  add(ref: SessionRef, quotaKey: string = NOBODY): void {
    this.#shares.add(ref, quotaKey);
    this.#heardAtMs.set(ref, this.#options.clock.now());
  }

  has(ref: SessionRef): boolean {
    return this.#shares.has(ref);
  }

  /** Notes a request of the session's client. */
  touch(ref: SessionRef): void {
    const quotaKey = this.delete(ref);
    if (quotaKey !== undefined) this.add(ref, quotaKey);
  }

  /** @returns whom it was counted for; `undefined` if it was not here */
  delete(ref: SessionRef): string | undefined {
    this.#heardAtMs.delete(ref);
    return this.#shares.delete(ref);
  }

  /** Counts a session that is being started. @returns what to call when that is done */
  starting(clientKey: ClientKey): () => void {
    this.#starting.add(clientKey, 1);
    return () => this.#starting.add(clientKey, -1);
  }

  /** The one that has to make room on this node: the longest unheard of whoever has most of them. */
  toMakeRoom(): SessionRef | undefined {
    const [longestUnheard] = this.#shares.largest();
    return longestUnheard;
  }

  /**
   * The one that has to make room for another one of its address; `undefined` as long as there is room.
   * @throws SessionError `too_many_requests` when all of them are in use
   */
  toMakeRoomAt(clientKey: ClientKey): SessionRef | undefined {
    const { maxPerAddress: mostPerPeer, isPresent, clock } = this.#options;
    const share = this.#shares.of(clientKey);
    if (share.size + this.#starting.get(clientKey) < mostPerPeer) return undefined;
    const longestUnheard = [...share].find((ref) => !isPresent(ref));
    const heardAtMs = longestUnheard && this.#heardAtMs.get(longestUnheard);
    const waitMs = (heardAtMs ?? clock.now()) + QUIET_MS - clock.now();
    if (waitMs <= 0) return longestUnheard;
    throw tooManyRequests(
      'Too many sessions of your address wait for their users to log in. Log in to one of them, or end one.',
      Math.ceil(waitMs / 1000),
    );
  }
}
