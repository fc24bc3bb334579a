import { createHash } from 'node:crypto';
import type { RandomSource } from '../../packages/sessions/src/vault/random.js';

/** Random numbers that depend on the seed only. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 (inclusive) to 1 (exclusive), by mulberry32. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from 0 (inclusive) to `limit` (exclusive). */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** Returns true with this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** Returns one of the items. @throws RangeError if there are none */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('There are no items.');
    return item;
  }

  /** Random bytes. Each call returns a new buffer outside of the shared pool, as the system's random source does. */
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
