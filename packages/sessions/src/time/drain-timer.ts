import { type Clock, MAX_TIMER_MS } from './clock.js';

/** Waits for promises, each for a limited time, until all waits are ended. */
export class DrainTimer {
  readonly #clock: Clock;
  readonly #gone: Promise<void>;
  #end: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#gone = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Resolves when `what` has settled, after `mostMs`, or when `endAfter` has ended all waits. */
  async waitFor(what: Promise<unknown>, mostMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancelTimer = this.#clock.after(Math.min(mostMs, MAX_TIMER_MS), resolve);
      const done = () => {
        cancelTimer();
        resolve();
      };
      void what.then(done, done);
      void this.#gone.then(done);
    });
  }

  /** Ends all waits, current and later ones, after a delay; at once for 0. */
  endAfter(delayMs: number): void {
    if (delayMs === 0) this.#end();
    else this.#clock.after(Math.min(delayMs, MAX_TIMER_MS), this.#end);
  }
}
