import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';

export interface RateLimiterOptions {
  /** The number of events that a key may have at once, and in each minute after that. */
  readonly perMinute: number;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

const MINUTE_MS = 60_000;
/** Limits per address do not stop a client with more addresses than this. */
const MAX_KEYS = 10_000;

/** Limits how often an event may happen, for each key (GCRA: a token bucket that is stored as one number). */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  readonly #intervalMs: number;
  /** When the bucket of each key is full again. The key that is unused longest is first. */
  readonly #fullAtMs = new Map<string, number>();
  #isSweepDue = false;

  constructor(options: RateLimiterOptions) {
    this.#options = options;
    this.#intervalMs = Math.floor(MINUTE_MS / options.perMinute);
  }

  /** The number of keys whose bucket is not full. */
  get size(): number {
    return this.#fullAtMs.size;
  }

  /**
   * Counts an event of a key, if it is allowed.
   * @returns `undefined` if it is allowed; otherwise the number of seconds after which it is
   */
  take(key: string): number | undefined {
    const waitSeconds = this.waitSeconds(key);
    if (waitSeconds !== undefined) return waitSeconds;
    const fullAtMs = this.#fullAt(key) + this.#intervalMs;
    this.#fullAtMs.delete(key);
    this.#fullAtMs.set(key, fullAtMs);
    const [leastRecent] = this.#fullAtMs.keys();
    if (this.#fullAtMs.size > MAX_KEYS && leastRecent !== undefined) this.#fullAtMs.delete(leastRecent);
    this.#sweepLater();
    return undefined;
  }

  /** Undoes one {@link take}. */
  giveBack(key: string): void {
    const fullAtMs = this.#fullAtMs.get(key);
    if (fullAtMs !== undefined) this.#fullAtMs.set(key, fullAtMs - this.#intervalMs);
  }

  /** The number of seconds after which the next event of a key is allowed; `undefined` if it is allowed now. */
  waitSeconds(key: string): number | undefined {
    const waitMs = this.#fullAt(key) + this.#intervalMs - this.#now() - MINUTE_MS;
    return waitMs > 0 ? Math.ceil(waitMs / 1000) : undefined;
  }

  #fullAt(key: string): number {
    return Math.max(this.#fullAtMs.get(key) ?? 0, this.#now());
  }

  /** Whole milliseconds, because sums of fractions are inexact. */
  #now(): number {
    return Math.floor(this.#options.clock.now());
  }

  #sweepLater(): void {
    if (this.#isSweepDue) return;
    this.#isSweepDue = true;
    this.#options.deadlines.at(this.#options.clock.now() + MINUTE_MS, () => this.#sweep());
  }

  #sweep(): void {
    this.#isSweepDue = false;
    const now = this.#now();
    for (const [key, fullAtMs] of this.#fullAtMs) if (fullAtMs <= now) this.#fullAtMs.delete(key);
    if (this.#fullAtMs.size > 0) this.#sweepLater();
  }
}
