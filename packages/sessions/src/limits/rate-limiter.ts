import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';

export interface RateLimiterOptions {
  /** How often something may happen at once, and in a minute in the long run. */
  readonly perMinute: number;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

const MINUTE_MS = 60_000;
/** Whoever has more addresses than this is not stopped by counting them. */
const MAX_KEYS = 10_000;

/** How often something may happen, for each of many (GCRA: a bucket that fills again evenly, as one number). */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  readonly #intervalMs: number;
  /** When each will have all of its allowance again; the longest unused first. */
  readonly #wholeAtMs = new Map<string, number>();
  #isSweepDue = false;

  constructor(options: RateLimiterOptions) {
    this.#options = options;
    this.#intervalMs = Math.floor(MINUTE_MS / options.perMinute);
  }

  /** For how many something is remembered. */
  get size(): number {
    return this.#wholeAtMs.size;
  }

  /**
   * Uses up one of what `key` may, if it may.
   * @returns `undefined` if so; if not, in how many seconds
   */
  take(key: string): number | undefined {
    const waitSeconds = this.waitSeconds(key);
    if (waitSeconds !== undefined) return waitSeconds;
    const wholeAtMs = this.#wholeAt(key) + this.#intervalMs;
    this.#wholeAtMs.delete(key);
    this.#wholeAtMs.set(key, wholeAtMs);
    const [longestUnused] = this.#wholeAtMs.keys();
    if (this.#wholeAtMs.size > MAX_KEYS && longestUnused !== undefined) this.#wholeAtMs.delete(longestUnused);
    this.#sweepLater();
    return undefined;
  }

  /** Undoes one {@link take} of what `key` may, as if it had not happened. */
  giveBack(key: string): void {
    const wholeAtMs = this.#wholeAtMs.get(key);
    if (wholeAtMs !== undefined) this.#wholeAtMs.set(key, wholeAtMs - this.#intervalMs);
  }

  /** In how many seconds `key` may again; `undefined` if it may now. */
  waitSeconds(key: string): number | undefined {
    const waitMs = this.#wholeAt(key) + this.#intervalMs - this.#now() - MINUTE_MS;
    return waitMs > 0 ? Math.ceil(waitMs / 1000) : undefined;
  }

  #wholeAt(key: string): number {
    return Math.max(this.#wholeAtMs.get(key) ?? 0, this.#now());
  }

  /** Whole milliseconds: sums of fractions would come out a little too large. */
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
    for (const [key, wholeAtMs] of this.#wholeAtMs) if (wholeAtMs <= now) this.#wholeAtMs.delete(key);
    if (this.#wholeAtMs.size > 0) this.#sweepLater();
  }
}
