import { RateLimiter, type RateLimiterOptions } from '../limits/rate-limiter.js';
import type { RateLimit, Rates } from '../limits/rates.js';

/** Counts events in this process. */
export class MapRates implements Rates {
  readonly #options: Omit<RateLimiterOptions, 'perMinute'>;
  readonly #limiters = new Map<string, RateLimiter>();

  constructor(options: Omit<RateLimiterOptions, 'perMinute'>) {
    this.#options = options;
  }

  take(limit: RateLimit, key: string): number | undefined {
    return this.#limiterOf(limit).take(key);
  }

  wait(limit: RateLimit, key: string): number | undefined {
    return this.#limiterOf(limit).waitSeconds(key);
  }

  #limiterOf({ name, perMinute }: RateLimit): RateLimiter {
    const known = this.#limiters.get(name);
    if (known) return known;
    const limiter = new RateLimiter({ ...this.#options, perMinute });
    this.#limiters.set(name, limiter);
    return limiter;
  }
}
