/** A number for each key. A key with the number 0 takes no memory. */
export class Counter<Key> {
  readonly #counts = new Map<Key, number>();

  /** The number of a key. */
  get(key: Key): number {
    return this.#counts.get(key) ?? 0;
  }

  /** Adds to the number of a key; `more` may be negative. */
  add(key: Key, more: number): void {
    const count = this.get(key) + more;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }
}
