import { Column } from './column.js';
import { NumberPool } from './number-pool.js';
import { Rings } from './rings.js';
import { ShardedMap } from './sharded-map.js';

/**
 * Rows that belong to quota keys, like `FairEviction`, with no object for a row. To evict one, take the first row of
 * the largest share: a key with few rows keeps them, however many rows another key adds.
 */
export class FairShares {
  readonly #byKey = new ShardedMap<string, number>();
  readonly #shares = new NumberPool();
  /** By share. */
  readonly #keys: string[] = [];
  readonly #firsts = Column.uint32();
  readonly #sizes = Column.uint32();
  /** By row: its share; 0: none. */
  readonly #shareOf = Column.uint32();
  readonly #rows = new Rings();
  /** The first share of each size. Among equal sizes, the share that is unchanged longest is first. */
  readonly #bySize = new Map<number, number>();
  readonly #sameSize = new Rings();
  #largest = 0;
  #size = 0;

  /** The number of rows. */
  get size(): number {
    return this.#size;
  }

  has(row: number): boolean {
    return this.#shareOf.get(row) !== 0;
  }

  /** Adds a row as the newest of its share. */
  add(row: number, quotaKey: string): void {
    const share = this.#byKey.get(quotaKey) ?? this.#create(quotaKey);
    this.#shareOf.set(row, share);
    this.#firsts.set(share, this.#rows.append(this.#firsts.get(share), row));
    this.#size++;
    this.#resize(share, this.#sizes.get(share) + 1);
  }

  delete(row: number): void {
    const share = this.#shareOf.get(row);
    if (share === 0) return;
    this.#shareOf.set(row, 0);
    this.#firsts.set(share, this.#rows.remove(this.#firsts.get(share), row));
    this.#size--;
    this.#resize(share, this.#sizes.get(share) - 1);
  }

  /** Makes a row the newest of its share. */
  renew(row: number): void {
    const share = this.#shareOf.get(row);
    if (share === 0) return;
    const first = this.#rows.remove(this.#firsts.get(share), row);
    this.#firsts.set(share, this.#rows.append(first, row));
  }

  sizeOf(quotaKey: string): number {
    return this.#sizes.get(this.#byKey.get(quotaKey) ?? 0);
  }

  /** The rows of a share, the oldest first. */
  of(quotaKey: string): Generator<number, void, undefined> {
    return this.#rows.of(this.#firsts.get(this.#byKey.get(quotaKey) ?? 0));
  }

  /** The oldest row of the largest share. */
  oldestOfLargest(): number | undefined {
    const share = this.#bySize.get(this.#largest);
    return share === undefined ? undefined : this.#firsts.get(share);
  }

  #create(quotaKey: string): number {
    const share = this.#shares.take();
    this.#byKey.set(quotaKey, share);
    this.#keys[share] = quotaKey;
    return share;
  }

  #resize(share: number, size: number): void {
    const before = this.#sizes.get(share);
    this.#sizes.set(share, size);
    if (before > 0) {
      const left = this.#sameSize.remove(this.#bySize.get(before) ?? 0, share);
      if (left === 0) this.#bySize.delete(before);
      else this.#bySize.set(before, left);
    }
    if (size > 0) this.#bySize.set(size, this.#sameSize.append(this.#bySize.get(size) ?? 0, share));
    else {
      this.#byKey.delete(this.#keys[share] ?? '');
      this.#keys[share] = '';
      this.#shares.giveBack(share);
    }
    // The last share of the largest size now has one row less.
    if (size > this.#largest) this.#largest = size;
    else if (!this.#bySize.has(this.#largest)) this.#largest--;
  }
}
