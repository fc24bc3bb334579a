import { type Clock, systemClock } from '../../packages/sessions/src/time/clock.js';

/** A clock that goes on only when a test says so, while timers take as long as they take. */
export class StandingClock implements Clock {
  readonly after: Clock['after'] = systemClock.after;
  #nowMs = 0;

  now(): number {
    return this.#nowMs;
  }

  leap(durationMs: number): void {
    this.#nowMs += durationMs;
  }
}
