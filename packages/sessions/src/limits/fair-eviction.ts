/**
 * What is held by somebody each. Where one has to go, it is the oldest of whoever holds most, so that nobody is
 * crowded out by what somebody else takes too much of.
 */
export class FairShares<Item> {
  readonly #holderOf = new Map<Item, string>();
  /** The items of each holder, the oldest first. */
  readonly #shares = new Map<string, Set<Item>>();
  /** Holders by how much they hold; of the same size, the longest unchanged first. */
  readonly #bySize = new Map<number, Set<string>>();
  #largest = 0;

  /** Takes in an item, as the newest. */
  add(item: Item, holder: string): void {
    this.delete(item);
    const share = this.#shares.get(holder) ?? new Set();
    this.#holderOf.set(item, holder);
    this.#shares.set(holder, share.add(item));
    this.#resize(holder, share.size - 1, share.size);
    this.#largest = Math.max(this.#largest, share.size);
  }

  /** @returns whose it was; `undefined` if it was not here */
  delete(item: Item): string | undefined {
    const holder = this.#holderOf.get(item);
    const share = holder === undefined ? undefined : this.#shares.get(holder);
    if (holder === undefined || !share) return undefined;
    this.#holderOf.delete(item);
    share.delete(item);
    if (share.size === 0) this.#shares.delete(holder);
    this.#resize(holder, share.size + 1, share.size);
    // Whoever leaves the largest size has just come to the next one.
    if (!this.#bySize.has(this.#largest)) this.#largest--;
    return holder;
  }

  /** How many items there are. */
  get size(): number {
    return this.#holderOf.size;
  }

  has(item: Item): boolean {
    return this.#holderOf.has(item);
  }

  /** What somebody holds, the oldest first. */
  of(holder: string): ReadonlySet<Item> {
    return this.#shares.get(holder) ?? new Set();
  }

  /** The share of whoever holds most, the oldest first. */
  largest(): ReadonlySet<Item> {
    const [holder] = this.#bySize.get(this.#largest) ?? [];
    return holder === undefined ? new Set() : this.of(holder);
  }

  #resize(holder: string, before: number, after: number): void {
    const holders = this.#bySize.get(before);
    holders?.delete(holder);
    if (holders?.size === 0) this.#bySize.delete(before);
    if (after > 0) this.#bySize.set(after, (this.#bySize.get(after) ?? new Set()).add(holder));
  }
}
