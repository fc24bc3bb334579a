/** Keeps the newest entries. */
export class RingBuffer<T> {
  readonly #size: number;
  readonly #entries: T[] = [];
  #added = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** The kept entries. */
  get entries(): readonly T[] {
    return this.#entries;
  }

  /** @param slot from 0; an entry keeps its slot */
  at(slot: number): T | undefined {
    return this.#entries[slot];
  }

  /** @returns the entry that it replaces */
  add(entry: T): T | undefined {
    const slot = this.#added++ % this.#size;
    const displaced = this.#entries[slot];
    this.#entries[slot] = entry;
    return displaced;
  }
}
