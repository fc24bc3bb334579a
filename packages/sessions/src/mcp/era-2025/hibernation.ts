import { type Linked, LinkedList } from '../../limits/linked-list.js';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';

/** A connection hibernates after this time without a request. To wake it takes about a millisecond of CPU. */
const HIBERNATE_AFTER_MS = 30_000;
/** The maximum number of connections that are looked at before the event loop continues. */
const MAX_PER_SLICE = 256;

/** An object that can be put to rest when it was not used for a while. */
export interface Restable<T> extends Linked<T> {
  usedAtMs: number;
  isListed: boolean;
  /** @returns whether it has to be looked at again later */
  rest(): boolean;
}

/** Puts connections to rest. All share a deadline: there is no timer for each. */
export class Hibernation<T extends Restable<T>> {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  /** The longest unused first. */
  readonly #used = new LinkedList<T>();
  #isAwaiting = false;

  constructor({ clock, deadlines }: { readonly clock: Clock; readonly deadlines: Deadlines }) {
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  /** Notes that a connection is used. */
  note(connection: T): void {
    this.forget(connection);
    connection.usedAtMs = this.#clock.now();
    connection.isListed = true;
    this.#used.add(connection);
    this.#await(HIBERNATE_AFTER_MS);
  }

  /** Notes that a connection has ended, or rests. */
  forget(connection: T): void {
    if (!connection.isListed) return;
    connection.isListed = false;
    this.#used.remove(connection);
  }

  #await(waitMs: number): void {
    if (this.#isAwaiting) return;
    this.#isAwaiting = true;
    this.#deadlines.at(this.#clock.now() + waitMs, () => {
      this.#isAwaiting = false;
      this.#look();
      const next = this.#used.first;
      if (next) this.#await(Math.max(0, next.usedAtMs + HIBERNATE_AFTER_MS - this.#clock.now()));
    });
  }

  #look(): void {
    const untilMs = this.#clock.now() - HIBERNATE_AFTER_MS;
    let left = MAX_PER_SLICE;
    for (let next = this.#used.first; next && next.usedAtMs <= untilMs && left > 0; left--) {
      this.forget(next);
      if (next.rest()) this.note(next);
      next = this.#used.first;
    }
  }
}
