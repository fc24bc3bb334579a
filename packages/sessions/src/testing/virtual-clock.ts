// A server loads these when it first needs them. A virtual clock would go on meanwhile, and a login could expire before its
// first request.
import '../provider/authorization-server.js';
import '../provider/provider-requests.js';
import '../server/app.js';
import type { Clock } from '../time/clock.js';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** A clock that only a test advances. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(delayMs, 0), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** The number of pending timers. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Advances the time without running timers, as a machine that sleeps does. They run at the next {@link advance}. */
  jump(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** Advances the time, runs each timer when it is due, and waits for pending promises. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      await settle();
      const next = this.#nextTimer(endMs);
      if (!next) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = endMs;
    await settle();
  }

  #nextTimer(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (!next || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}

/** Waits until all promises that can settle have settled. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
