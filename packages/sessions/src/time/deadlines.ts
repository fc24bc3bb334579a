import type { Clock } from './clock.js';

/** Deadlines that fall into the same bucket run together. */
const BUCKET_MS = 100;

/** The number of deadlines that run before the event loop continues. */
const MAX_PER_SLICE = 256;

/** Longer waits are split, because `setTimeout` fires at once beyond 2^31 - 1 ms. */
const MAX_WAIT_MS = 2 ** 30;

/** A deadline that can be cancelled. */
export interface Deadline {
  cancel(): void;
}

interface Entry extends Deadline {
  readonly run: () => void;
}

/**
 * Runs any number of deadlines with one timer.
 *
 * Deadlines are rounded up to a tenth of a second and stored in buckets, so to set or cancel one takes one operation on
 * a set.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #buckets = new Map<number, Set<Entry>>();
  #cancelTimer: (() => void) | undefined;
  #timerBucket = Number.POSITIVE_INFINITY;

  /** @param onError called with an error that the function of a deadline throws. Other deadlines still run. */
  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  /** The number of pending deadlines. */
  get size(): number {
    let size = 0;
    for (const bucket of this.#buckets.values()) size += bucket.size;
    return size;
  }

  /** Runs `run` at `atMs` on the clock, or as soon as possible if that time has passed. */
  at(atMs: number, run: () => void): Deadline {
    const index = Math.ceil(Math.max(atMs, this.#clock.now()) / BUCKET_MS);
    const entry: Entry = { run, cancel: () => this.#remove(index, entry) };
    const bucket = this.#buckets.get(index);
    if (bucket) bucket.add(entry);
    else this.#buckets.set(index, new Set([entry]));
    if (index < this.#timerBucket) this.#arm(index);
    return entry;
  }

  /** Cancels all deadlines. */
  clear(): void {
    this.#buckets.clear();
    this.#disarm();
  }

  #remove(index: number, entry: Entry): void {
    const bucket = this.#buckets.get(index);
    if (!bucket?.delete(entry) || bucket.size > 0) return;
    this.#buckets.delete(index);
    if (this.#buckets.size === 0) this.#disarm();
  }

  #arm(index: number): void {
    this.#disarm();
    this.#timerBucket = index;
    const waitMs = Math.min(Math.max(index * BUCKET_MS - this.#clock.now(), 0), MAX_WAIT_MS);
    this.#cancelTimer = this.#clock.after(waitMs, () => this.#fire());
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerBucket = Number.POSITIVE_INFINITY;
  }

  #fire(): void {
    this.#disarm();
    let left = MAX_PER_SLICE;
    for (const index of this.#dueBuckets()) {
      for (const entry of this.#buckets.get(index) ?? []) {
        if (left-- === 0) break;
        this.#remove(index, entry);
        this.#run(entry);
      }
      if (left <= 0) break;
    }
    this.#armNext();
  }

  #dueBuckets(): number[] {
    const current = Math.floor(this.#clock.now() / BUCKET_MS);
    return [...this.#buckets.keys()].filter((index) => index <= current).sort((a, b) => a - b);
  }

  #armNext(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const index of this.#buckets.keys()) next = Math.min(next, index);
    if (next < this.#timerBucket) this.#arm(next);
  }

  #run(entry: Entry): void {
    try {
      entry.run();
    } catch (error) {
      this.#onError(error);
    }
  }
}
