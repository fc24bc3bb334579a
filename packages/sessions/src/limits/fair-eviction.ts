/**
 * Items that belong to quota keys. To evict one, take the oldest item of the key that holds the most: a key with few
 * items keeps them, however many items another key adds.
 */
export class FairEviction<Item> {
  readonly #quotaKeyOf = new Map<Item, string>();
  /** The items of each quota key, the oldest first. */
  readonly #shares = new Map<string, Set<Item>>();
  /** Quota keys by their number of items. Among equal numbers, the key that is unchanged longest is first. */
  readonly #bySize = new Map<number, Set<string>>();
  #largest = 0;

  /** Adds an item as the newest one. An item that is present already is moved. */
  add(item: Item, quotaKey: string): void {
    this.delete(item);
    const share = this.#shares.get(quotaKey) ?? new Set();
    this.#quotaKeyOf.set(item, quotaKey);
    this.#shares.set(quotaKey, share.add(item));
    this.#resize(quotaKey, share.size - 1, share.size);
    this.#largest = Math.max(this.#largest, share.size);
  }

  /** Removes an item. @returns its quota key; `undefined` if the item was not present */
  delete(item: Item): string | undefined {
    const quotaKey = this.#quotaKeyOf.get(item);
    const share = quotaKey === undefined ? undefined : this.#shares.get(quotaKey);
    if (quotaKey === undefined || !share) return undefined;
    this.#quotaKeyOf.delete(item);
    share.delete(item);
    if (share.size === 0) this.#shares.delete(quotaKey);
    this.#resize(quotaKey, share.size + 1, share.size);
    // The last key of the largest size now has one item less.
    if (!this.#bySize.has(this.#largest)) this.#largest--;
    return quotaKey;
  }

  /** The number of items. */
  get size(): number {
    return this.#quotaKeyOf.size;
  }

  has(item: Item): boolean {
    return this.#quotaKeyOf.has(item);
  }

  /** The items of a quota key, the oldest first. */
  of(quotaKey: string): ReadonlySet<Item> {
    return this.#shares.get(quotaKey) ?? new Set();
  }

  /** The items of the quota key that holds the most, the oldest first. */
  largest(): ReadonlySet<Item> {
    const [quotaKey] = this.#bySize.get(this.#largest) ?? [];
    return quotaKey === undefined ? new Set() : this.of(quotaKey);
  }

  #resize(quotaKey: string, before: number, after: number): void {
    const quotaKeys = this.#bySize.get(before);
    quotaKeys?.delete(quotaKey);
    if (quotaKeys?.size === 0) this.#bySize.delete(before);
    if (after > 0) this.#bySize.set(after, (this.#bySize.get(after) ?? new Set()).add(quotaKey));
  }
}
