/** The longest delay of a timer, in milliseconds. Node fires longer ones at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/** Time as this library sees it. Handed in from outside, so that a test can own it. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. Its zero means nothing. */
  now(): number;
  /**
   * Runs `run` once, `delayMs` from now.
   * @returns a function that cancels it; calling that twice, or too late, does nothing.
   */
  after(delayMs: number, run: () => void): () => void;
}

/** Node's monotonic clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
