import { AsyncResource } from 'node:async_hooks';
import type { Clock } from 'mcp-sessions';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
  readonly cancel: () => void;
}

/** Node's monotonic clock, which a test can advance. Due timers run at once, in order. */
export class AdvanceableClock implements Clock {
  readonly #timers = new Set<Timer>();
  #aheadMs = 0;

  now(): number {
    return performance.now() + this.#aheadMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const cancel = () => {
      clearTimeout(timeout);
      this.#timers.delete(timer);
    };
    // A timer runs in the async context in which it was set.
    const timer = { atMs: this.now() + delayMs, run: AsyncResource.bind(run), cancel };
    const timeout = setTimeout(() => this.#run(timer), delayMs).unref();
    this.#timers.add(timer);
    return cancel;
  }

  advance(durationMs: number): void {
    this.#aheadMs += durationMs;
    const now = this.now();
    const due = [...this.#timers]
      .filter(({ atMs }) => atMs <= now)
      .sort((one, other) => one.atMs - other.atMs);
    for (const timer of due) setImmediate(() => this.#run(timer));
  }

  #run(timer: Timer): void {
    if (!this.#timers.has(timer)) return;
    timer.cancel();
    timer.run();
  }
}
