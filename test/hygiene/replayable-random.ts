import { createHash } from 'node:crypto';

/** Random bytes that the seed and the sizes of the draws reproduce. Keeps no copy of the bytes. */
export class ReplayableRandom {
  readonly #seed: string;
  /** The sizes of the draws, in order. */
  readonly sizes: number[] = [];

  constructor(seed: string) {
    this.#seed = seed;
  }

  readonly bytes = (size: number): Buffer => {
    const digest = createHash('shake256', { outputLength: size })
      .update(`${this.#seed} ${this.sizes.length}`)
      .digest();
    this.sizes.push(size);
    const bytes = Buffer.from(new ArrayBuffer(size));
    digest.copy(bytes);
    digest.fill(0);
    return bytes;
  };
}

/** All draws of the source with this seed, in order. */
export function replay(seed: string, sizes: readonly number[]): Buffer[] {
  const random = new ReplayableRandom(seed);
  return sizes.map((size) => random.bytes(size));
}
