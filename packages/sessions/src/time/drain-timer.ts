import { type Clock, MAX_TIMER_MS } from './clock.js';

/** Waits for promises, each for a limited time, until all waits are ended. */
export class DrainTimer {
  readonly #clock: Clock;
  readonly #ended: Promise<void>;
  #end: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Resolves when a promise has settled, after `maxMs`, or when `endAfter` has ended all waits. */
  async waitFor(promise: Promise<unknown>, maxMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancelTimer = this.#clock.after(Math.min(maxMs, MAX_TIMER_MS), resolve);
      const done = () => {
        cancelTimer();
        resolve();
      };
      void promise.then(done, done);
      void this.#ended.then(done);
    });
  }

  /** Ends all current and later waits after a delay. For 0, ends them at once. */
  endAfter(delayMs: number): void {
    if (delayMs === 0) this.#end();
    else this.#clock.after(Math.min(delayMs, MAX_TIMER_MS), this.#end);
  }
}
