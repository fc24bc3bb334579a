import { createHash } from 'node:crypto';
import type { RandomSource } from '../vault/random.js';

/** Random numbers that are the same for the same seed. For tests: whoever knows the seed knows them all. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 to 1, without 1 (mulberry32). */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `limit`, without `limit`. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** Whether something happens that has this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of the items. @throws RangeError when there are none. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('There is nothing to pick from.');
    return item;
  }

  /** Random bytes, each call's in a buffer of its own outside the shared pool, as the system's are. */
  readonly bytes: RandomSource = (size) => {
    const bytes = Buffer.from(new ArrayBuffer(size));
    for (let offset = 0; offset < size; offset += 32) {
      createHash('sha256')
        .update(`${this.#state} ${this.fraction()} ${offset}`)
        .digest()
        .copy(bytes, offset, 0, Math.min(32, size - offset));
    }
    return bytes;
  };
}
