/**
 * What is held by somebody each. Where one has to go, it is the oldest of whoever holds most, so that nobody is
 * crowded out by what somebody else takes too much of.
 */
export class FairEviction<Item> {
  readonly #quotaKeyOf = new Map<Item, string>();
  /** The items of each quota key, the oldest first. */
  readonly #shares = new Map<string, Set<Item>>();
  /** Holders by how much they hold; of the same size, the longest unchanged first. */
  readonly #bySize = new Map<number, Set<string>>();
  #largest = 0;

  /** Takes in an item, as the newest. */
  add(item: Item, quotaKey: string): void {
    this.delete(item);
    const share = this.#shares.get(quotaKey) ?? new Set();
    this.#quotaKeyOf.set(item, quotaKey);
    this.#shares.set(quotaKey, share.add(item));
    this.#resize(quotaKey, share.size - 1, share.size);
    this.#largest = Math.max(this.#largest, share.size);
  }

  /** @returns whose it was; `undefined` if it was not here */
  delete(item: Item): string | undefined {
    const quotaKey = this.#quotaKeyOf.get(item);
    const share = quotaKey === undefined ? undefined : this.#shares.get(quotaKey);
    if (quotaKey === undefined || !share) return undefined;
    this.#quotaKeyOf.delete(item);
    share.delete(item);
    if (share.size === 0) this.#shares.delete(quotaKey);
    this.#resize(quotaKey, share.size + 1, share.size);
    // Whoever leaves the largest size has just come to the next one.
    if (!this.#bySize.has(this.#largest)) this.#largest--;
    return quotaKey;
  }

  /** How many items there are. */
  get size(): number {
    return this.#quotaKeyOf.size;
  }

  has(item: Item): boolean {
    return this.#quotaKeyOf.has(item);
  }

  /** What somebody holds, the oldest first. */
  of(quotaKey: string): ReadonlySet<Item> {
    return this.#shares.get(quotaKey) ?? new Set();
  }

  /** The share of whoever holds most, the oldest first. */
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
