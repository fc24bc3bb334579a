import { ExpiringMap } from '../limits/expiring-map.js';
import { FairEviction } from '../limits/fair-eviction.js';
import {
  MAX_ISSUED,
  MAX_ISSUED_PER_SESSION,
  MAX_USED_PER_ISSUER,
  type OneTimeQuota,
  type OneTimeStore,
  type UsedName,
} from '../limits/one-time-store.js';
import type { Clock } from '../time/clock.js';

/** Keeps names in maps of this process. Each method acts within one tick, so it is atomic. */
export class MapOneTimeStore implements OneTimeStore {
  readonly #clock: Clock;
  /** The expiry of each name that can be redeemed; the oldest first. */
  readonly #issued = new Map<string, number>();
  readonly #ofSession = new FairEviction<string>();
  readonly #ofClient = new FairEviction<string>();
  readonly #used = new Map<string, ExpiringMap<string, true>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of names that can be redeemed, including expired ones that are not deleted yet. */
  get issued(): number {
    return this.#issued.size;
  }

  issue(name: string, { session, client }: OneTimeQuota, untilMs: number): void {
    this.#forgetExpired();
    this.#evictIfFull(session);
    this.#issued.set(name, untilMs);
    this.#ofSession.add(name, session);
    this.#ofClient.add(name, client);
  }

  redeem(name: string): boolean {
    const untilMs = this.#issued.get(name);
    this.#forget(name);
    return untilMs !== undefined && untilMs > this.#clock.now();
  }

  use({ issuer, name }: UsedName, untilMs: number): boolean {
    const used = this.#usedOf(issuer);
    if (used.get(name)) return false;
    used.set(name, true, untilMs);
    return true;
  }

  release({ issuer, name }: UsedName): void {
    this.#used.get(issuer)?.delete(name);
  }

  #usedOf(issuer: string): ExpiringMap<string, true> {
    const known = this.#used.get(issuer);
    if (known) return known;
    const options = { clock: this.#clock, maxEntries: MAX_USED_PER_ISSUER, ttlMs: 0 };
    const used = new ExpiringMap<string, true>(options);
    this.#used.set(issuer, used);
    return used;
  }

  #forget(name: string): void {
    this.#issued.delete(name);
    this.#ofSession.delete(name);
    this.#ofClient.delete(name);
  }

  #forgetExpired(): void {
    const now = this.#clock.now();
    for (const [oldest, untilMs] of this.#issued) {
      if (untilMs > now) break;
      this.#forget(oldest);
    }
  }

  /** Evicts the oldest name of the session, or of the client that has the most. */
  #evictIfFull(session: string): void {
    const ofSession = this.#ofSession.of(session);
    if (ofSession.size >= MAX_ISSUED_PER_SESSION) this.#forgetOldest(ofSession);
    else if (this.#issued.size >= MAX_ISSUED) this.#forgetOldest(this.#ofClient.largest());
  }

  #forgetOldest(names: ReadonlySet<string>): void {
    const [oldest] = names;
    if (oldest !== undefined) this.#forget(oldest);
  }
}
