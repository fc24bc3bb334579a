import { createHash } from 'node:crypto';

/**
 * Random bytes that whoever knows the seed, and how many bytes were drawn each time, can draw again. Leaves no
 * copy of what it hands out.
 */
export class ReplayableRandom {
  readonly #seed: string;
  /** How many bytes were drawn, in the order of the draws. */
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

/** Every draw of the source that had this seed, in its order. */
export function replay(seed: string, sizes: readonly number[]): Buffer[] {
  const random = new ReplayableRandom(seed);
  return sizes.map((size) => random.bytes(size));
}
