import type { SeededRandom } from '../support/seeded-random.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** The longest `Retry-After` that is ever given. */
export const LONGEST_RETRY_AFTER_SECONDS = 120;
const LONGEST_OUTAGE_MS = 10 * MINUTE;

/** The answer of a provider that is down, to all requests. */
export interface Outage {
  readonly kind: 'unavailable' | 'refused';
  readonly retryAfterSeconds: number | undefined;
}

interface Plan extends Outage {
  readonly startMs: number;
  readonly endMs: number;
}

/** Repeated outages of a provider, minutes long. */
export class Outages {
  readonly #random: SeededRandom;
  readonly #longestGapMs: number;
  #next: Plan;

  /** @param longestGapMs between one and the next; infinite: there are none */
  constructor(random: SeededRandom, longestGapMs: number) {
    this.#random = random;
    this.#longestGapMs = longestGapMs;
    this.#next = this.#plan(0);
  }

  /** The answer to all requests at a moment; moments must not decrease. `undefined`: the provider is up. */
  at(nowMs: number): Outage | undefined {
    while (this.#next.endMs <= nowMs) this.#next = this.#plan(this.#next.endMs);
    return this.#next.startMs <= nowMs ? this.#next : undefined;
  }

  #plan(fromMs: number): Plan {
    const startMs = Number.isFinite(this.#longestGapMs)
      ? fromMs + this.#random.below(this.#longestGapMs)
      : Number.POSITIVE_INFINITY;
    return {
      startMs,
      endMs: startMs + MINUTE / 2 + this.#random.below(LONGEST_OUTAGE_MS - MINUTE / 2),
      // A connection refused or 5xx; 429 with `Retry-After`; a firewall's 403.
      ...this.#random.pick<Outage>([
        { kind: 'unavailable', retryAfterSeconds: undefined },
        {
          kind: 'unavailable',
          retryAfterSeconds: 1 + this.#random.below(LONGEST_RETRY_AFTER_SECONDS),
        },
        { kind: 'refused', retryAfterSeconds: undefined },
      ]),
    };
  }
}
