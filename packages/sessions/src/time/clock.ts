/** The longest delay of a timer, in milliseconds. Node fires longer ones at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/** A clock with timers. Tests pass one of their own. */
export interface Clock {
  /** Returns milliseconds on a monotonic clock with an arbitrary zero. */
  now(): number;
  /**
   * Runs `run` once, after `delayMs`.
   * @returns a function that cancels the timer. It has no effect after the timer has fired or was cancelled.
   */
  after(delayMs: number, run: () => void): () => void;
}

/** Node's monotonic clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => {
      // Node keeps the list of an unreferenced timer's delay until that delay is over, also after `clearTimeout`.
      timer.ref();
      clearTimeout(timer);
    };
  },
};
