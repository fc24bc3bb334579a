import { Column } from './column.js';

/**
 * Doubly linked rings of rows, outside the V8 heap. A ring is known by its first row; 0 is an empty ring. A row is in
 * one ring at most.
 */
export class Rings {
  readonly #next = Column.uint32();
  readonly #previous = Column.uint32();

  /** Adds a row as the last one. @returns the first row */
  append(first: number, row: number): number {
    if (first === 0) {
      this.#link(row, row);
      return row;
    }
    this.#link(this.#previous.get(first), row);
    this.#link(row, first);
    return first;
  }

  /** Removes a row of this ring. @returns the first row that is left; 0: none */
  remove(first: number, row: number): number {
    const next = this.#next.get(row);
    if (next === row) return 0;
    this.#link(this.#previous.get(row), next);
    return row === first ? next : first;
  }

  /** The rows of a ring, from the first. It must not change meanwhile. */
  *of(first: number): Generator<number, void, undefined> {
    if (first === 0) return;
    let row = first;
    do {
      yield row;
      row = this.#next.get(row);
    } while (row !== first);
  }

  #link(before: number, after: number): void {
    this.#next.set(before, after);
    this.#previous.set(after, before);
  }
}
