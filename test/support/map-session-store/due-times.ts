import type { Clock } from '../../../packages/sessions/src/time/clock.js';
import type { Deadline, Deadlines } from '../../../packages/sessions/src/time/deadlines.js';

/** The time after which a key is handed over again, unless its due time was set in the meantime. */
const LEASE_MS = 5000;

export interface DueTimesOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/** When keys are due. Hands each over to a consumer at that time. */
export class DueTimes<Key> {
  readonly #options: DueTimesOptions;
  /** `undefined`: the key was due while there was no consumer. */
  readonly #deadlines = new Map<Key, Deadline | undefined>();
  #consumer: ((key: Key) => void) | undefined;

  constructor(options: DueTimesOptions) {
    this.#options = options;
  }

  /** @param atMs `Infinity`: never */
  set(key: Key, atMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY) {
      this.delete(key);
      return;
    }
    this.#deadlines.get(key)?.cancel();
    // Not deleted before: in a large map, a key that is deleted and added again takes a new place each time.
    this.#deadlines.set(
      key,
      this.#options.deadlines.at(atMs, () => this.#due(key)),
    );
  }

  delete(key: Key): void {
    this.#deadlines.get(key)?.cancel();
    this.#deadlines.delete(key);
  }

  /** Hands keys over to `run`, also those that are due already. @returns a function that stops it */
  consume(run: (key: Key) => void): () => void {
    this.#consumer = run;
    const now = this.#options.clock.now();
    const overdue = [...this.#deadlines].filter(([, deadline]) => !deadline);
    for (const [key] of overdue) this.set(key, now);
    return () => {
      this.#consumer = undefined;
    };
  }

  #due(key: Key): void {
    if (!this.#consumer) {
      this.#deadlines.set(key, undefined);
      return;
    }
    // Set first: what `run` sets counts.
    this.set(key, this.#options.clock.now() + LEASE_MS);
    this.#consumer(key);
  }
}
