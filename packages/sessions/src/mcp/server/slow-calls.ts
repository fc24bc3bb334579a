import { type Linked, LinkedList } from '../../limits/linked-list.js';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';

/** After this time, or up to twice as long, a call counts as slow. */
const SLOW_MS = 1000;

/** A call that goes on in another way once it is slow. */
export interface MaybeSlowCall<T> extends Linked<T> {
  readonly startedAtMs: number;
  interrupt(): void;
}

/** Interrupts calls that are slow. All calls share a deadline: most of them are over long before. */
export class SlowCalls<T extends MaybeSlowCall<T>> {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  /** The calls that are not over. */
  readonly #calls = new LinkedList<T>();
  #isAwaiting = false;

  constructor({ clock, deadlines }: { readonly clock: Clock; readonly deadlines: Deadlines }) {
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  [Symbol.iterator](): Generator<T, void, undefined> {
    return this.#calls[Symbol.iterator]();
  }

  now(): number {
    return this.#clock.now();
  }

  add(call: T): void {
    this.#calls.add(call);
    if (this.#isSlow(call)) call.interrupt();
    else this.#await();
  }

  /** Notes that a call is over. */
  delete(call: T): void {
    this.#calls.remove(call);
  }

  #isSlow({ startedAtMs }: T): boolean {
    return this.#clock.now() - startedAtMs >= SLOW_MS;
  }

  #await(): void {
    if (this.#isAwaiting) return;
    this.#isAwaiting = true;
    this.#deadlines.at(this.#clock.now() + SLOW_MS, () => {
      this.#isAwaiting = false;
      let isAnyLeft = false;
      for (const call of this.#calls) {
        if (this.#isSlow(call)) call.interrupt();
        else isAnyLeft = true;
      }
      if (isAnyLeft) this.#await();
    });
  }
}
