import { createHash } from 'node:crypto';
import type { IndexKey } from '../../session/session-index.js';
import { Column } from './column.js';
import { NumberPool } from './number-pool.js';
import { Rings } from './rings.js';
import { ShardedMap } from './sharded-map.js';

/** Such numbers are not objects of the V8 heap. */
const HASH_BITS = 30;

/**
 * The rows of each index key, in the order in which they got it. It keeps a hash of each key instead of its text, so
 * that the garbage collector has nothing to visit. Whether a row has a key is asked of the row.
 */
export class KeyIndex {
  readonly #hasKey: (row: number, key: IndexKey) => boolean;
  /** The first entry by hash. */
  readonly #firsts = new ShardedMap<number, number>();
  readonly #entries = new NumberPool();
  readonly #rings = new Rings();
  readonly #rowOf = Column.uint32();

  constructor(hasKey: (row: number, key: IndexKey) => boolean) {
    this.#hasKey = hasKey;
  }

  rowsOf(key: IndexKey): readonly number[] {
    // Two keys of one row can have the same hash.
    const rows = new Set<number>();
    for (const entry of this.#rings.of(this.#firsts.get(hashOf(key)) ?? 0)) rows.add(this.#rowOf.get(entry));
    return [...rows].filter((row) => this.#hasKey(row, key));
  }

  /** Replaces the keys of a row. A key that it keeps keeps its order. */
  change(row: number, before: readonly IndexKey[], after: readonly IndexKey[]): void {
    for (const key of before) if (!after.includes(key)) this.#delete(key, row);
    for (const key of after) if (!before.includes(key)) this.#add(key, row);
  }

  #add(key: IndexKey, row: number): void {
    const hash = hashOf(key);
    const entry = this.#entries.take();
    this.#rowOf.set(entry, row);
    this.#firsts.set(hash, this.#rings.append(this.#firsts.get(hash) ?? 0, entry));
  }

  #delete(key: IndexKey, row: number): void {
    const hash = hashOf(key);
    const first = this.#firsts.get(hash) ?? 0;
    for (const entry of this.#rings.of(first)) {
      if (this.#rowOf.get(entry) !== row) continue;
      const left = this.#rings.remove(first, entry);
      if (left === 0) this.#firsts.delete(hash);
      else this.#firsts.set(hash, left);
      this.#entries.giveBack(entry);
      return;
    }
  }
}

function hashOf(key: IndexKey): number {
  return createHash('sha256').update(key).digest().readUInt32LE(0) >>> (32 - HASH_BITS);
}
