import { Column } from './column.js';

/** Numbers from 1 on, as dense as possible: one that is given back is the next to be taken. */
export class NumberPool {
  readonly #freeBelow = Column.uint32();
  /** The number that was given back last; 0: none. */
  #free = 0;
  #highest = 0;

  take(): number {
    const number = this.#free;
    if (number === 0) return ++this.#highest;
    this.#free = this.#freeBelow.get(number);
    return number;
  }

  giveBack(number: number): void {
    this.#freeBelow.set(number, this.#free);
    this.#free = number;
  }
}
