import { type Clock, systemClock } from '../../time/clock.js';

/** The round trip of a sample whose time is used: its error is half of that at most. */
const MAX_ROUND_TRIP_MS = 150;
/** A time of the engine that is earlier by more than this is followed. Earlier by less, the clock stands still. */
const MAX_STILL_MS = 1000;

/** A look at the time of an engine. */
export interface TimeSample {
  readonly sentAtMs: number;
  readonly engineMs: number;
  readonly receivedAtMs: number;
}

/**
 * The time of an engine, between looks at it counted by the monotonic clock of this process. Before the first look it is
 * the wall clock of this process. All nodes of an engine have the same time, however wrong their own clocks are.
 */
export class EngineClock implements Clock {
  readonly #base: Clock;
  #offsetMs: number;
  #latestMs = 0;

  /** @param wallNow the first guess. Default: `Date.now` */
  constructor(base: Clock = systemClock, wallNow: () => number = Date.now) {
    this.#base = base;
    this.#offsetMs = wallNow() - base.now();
  }

  now(): number {
    this.#latestMs = Math.max(this.#latestMs, this.#base.now() + this.#offsetMs);
    return this.#latestMs;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#base.after(delayMs, run);
  }

  /** The time to pass in a sample. */
  localNow(): number {
    return this.#base.now();
  }

  /** Uses a sample. @returns whether its round trip was short enough */
  set({ sentAtMs, engineMs, receivedAtMs }: TimeSample): boolean {
    if (receivedAtMs - sentAtMs > MAX_ROUND_TRIP_MS) return false;
    this.#offsetMs = engineMs - (sentAtMs + receivedAtMs) / 2;
    const now = this.#base.now() + this.#offsetMs;
    if (now < this.#latestMs - MAX_STILL_MS) this.#latestMs = now;
    return true;
  }
}
