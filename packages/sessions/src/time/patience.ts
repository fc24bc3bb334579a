import type { Clock } from './clock.js';

/** As long as a timer of Node can wait; it fires a longer one at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Waits for things, each for a limited time, until told to wait no longer. */
export class Patience {
  readonly #clock: Clock;
  readonly #gone: Promise<void>;
  #end: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#gone = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Resolves when `what` has settled, after `mostMs`, or when this patience has ended. */
  async waitFor(what: Promise<unknown>, mostMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancelTimer = this.#clock.after(Math.min(mostMs, LONGEST_MS), resolve);
      const done = () => {
        cancelTimer();
        resolve();
      };
      void what.then(done, done);
      void this.#gone.then(done);
    });
  }

  /** Ends every wait, those to come as well, at once or after so long. */
  endAfter(delayMs: number): void {
    if (delayMs === 0) this.#end();
    else this.#clock.after(Math.min(delayMs, LONGEST_MS), this.#end);
  }
}
