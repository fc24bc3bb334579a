import type { SessionRef } from '../../session/ids.js';
import { Column } from './column.js';
import { ShardedMap } from './sharded-map.js';
import { textHash } from './text-hash.js';

/** Of 32. Larger numbers are objects of the V8 heap. */
const UNUSED_BITS = 2;

/**
 * The row of each session. It keeps a number of 30 bits instead of the text of a reference, so that the garbage
 * collector has nothing to visit. Of a million references, a thousand share their number with another one. Whether a
 * row has a reference is asked of the row.
 */
export class RefIndex {
  readonly #hasRef: (row: number, ref: SessionRef) => boolean;
  readonly #numberOf: (ref: SessionRef) => number;
  /** The row of a number that was added last. */
  readonly #lasts = new ShardedMap<number, number>();
  /** By row: the one with the same number that was added before; 0: none. */
  readonly #before = Column.uint32();
  #size = 0;

  constructor(
    hasRef: (row: number, ref: SessionRef) => boolean,
    numberOf: (ref: SessionRef) => number = (ref) => textHash(ref) >>> UNUSED_BITS,
  ) {
    this.#hasRef = hasRef;
    this.#numberOf = numberOf;
  }

  get size(): number {
    return this.#size;
  }

  rowOf(ref: SessionRef): number | undefined {
    let row = this.#lasts.get(this.#numberOf(ref)) ?? 0;
    while (row !== 0 && !this.#hasRef(row, ref)) row = this.#before.get(row);
    return row === 0 ? undefined : row;
  }

  /** Adds a reference that has no row. */
  add(ref: SessionRef, row: number): void {
    const number = this.#numberOf(ref);
    this.#before.set(row, this.#lasts.get(number) ?? 0);
    this.#lasts.set(number, row);
    this.#size++;
  }

  /** Removes the reference of a row. */
  delete(ref: SessionRef, row: number): void {
    const number = this.#numberOf(ref);
    const before = this.#before.get(row);
    let after = this.#lasts.get(number) ?? 0;
    if (after !== row) {
      while (this.#before.get(after) !== row) after = this.#before.get(after);
      this.#before.set(after, before);
    } else if (before === 0) this.#lasts.delete(number);
    else this.#lasts.set(number, before);
    this.#size--;
  }
}
