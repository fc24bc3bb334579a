import type { MaybePromise } from '../time/promises.js';

/** A limit of how often an event may happen. */
export interface RateLimit {
  /** Each limit counts for itself. */
  readonly name: string;
  /** The number of events that a key may have at once, and in each minute after that. */
  readonly perMinute: number;
}

/** Counts events against limits, on all nodes together. A call rejects only with `store_unavailable`. */
export interface Rates {
  /**
   * Counts an event of a key, if it is allowed.
   * @returns `undefined` if it is allowed; otherwise the number of seconds after which it is
   */
  take(limit: RateLimit, key: string): MaybePromise<number | undefined>;

  /** Like `take`, without counting. */
  wait(limit: RateLimit, key: string): MaybePromise<number | undefined>;
}
