/** The newest of some things. */
export class Ring<T> {
  readonly #size: number;
  readonly #entries: T[] = [];
  #added = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Every one that is kept. */
  get entries(): readonly T[] {
    return this.#entries;
  }

  /** @param slot counts from 0; stays the same as long as an entry is kept */
  at(slot: number): T | undefined {
    return this.#entries[slot];
  }

  /** @returns the one whose slot it takes */
  add(entry: T): T | undefined {
    const slot = this.#added++ % this.#size;
    const displaced = this.#entries[slot];
    this.#entries[slot] = entry;
    return displaced;
  }
}
