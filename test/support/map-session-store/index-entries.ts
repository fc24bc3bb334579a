/**
 * The items of keys, in the order in which they were added. Most keys have one item, which takes a `Set` of its own only
 * when there is a second.
 */
export class IndexEntries<Key, Item extends string> {
  readonly #entries = new Map<Key, Item | Set<Item>>();

  get size(): number {
    return this.#entries.size;
  }

  of(key: Key): readonly Item[] {
    const entry = this.#entries.get(key);
    if (entry === undefined) return [];
    return entry instanceof Set ? [...entry] : [entry];
  }

  add(key: Key, item: Item): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) this.#entries.set(key, item);
    else if (entry instanceof Set) entry.add(item);
    else if (entry !== item) this.#entries.set(key, new Set([entry, item]));
  }

  delete(key: Key, item: Item): void {
    const entry = this.#entries.get(key);
    if (entry instanceof Set) {
      entry.delete(item);
      if (entry.size === 0) this.#entries.delete(key);
    } else if (entry === item) this.#entries.delete(key);
  }

  /** Replaces the keys of an item. A key that it keeps keeps its order. */
  change(before: readonly Key[], after: readonly Key[], item: Item): void {
    for (const key of before) if (!after.includes(key)) this.delete(key, item);
    for (const key of after) if (!before.includes(key)) this.add(key, item);
  }
}
