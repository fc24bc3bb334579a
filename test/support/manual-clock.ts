import { type Clock, systemClock } from '../../packages/sessions/src/time/clock.js';

/** A clock that moves only when a test advances it. Timers run in real time. */
export class ManualClock implements Clock {
  readonly after: Clock['after'] = systemClock.after;
  #nowMs = 0;

  now(): number {
    return this.#nowMs;
  }

  advance(durationMs: number): void {
    this.#nowMs += durationMs;
  }
}
