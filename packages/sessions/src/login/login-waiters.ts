import type { Clock } from '../time/clock.js';
import type { LoginAttempt } from './login-attempt.js';

/** Calls that wait for a browser. */
export class LoginWaiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<LoginAttempt, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when the attempt is woken, after `timeoutMs`, or when `signal` aborts. */
  wait(attempt: LoginAttempt, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(attempt) ?? new Set();
    this.#waiting.set(attempt, waiting);
    return new Promise((resolve) => {
      const done = () => {
        cancelTimer();
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        resolve();
      };
      const cancelTimer = this.#clock.after(timeoutMs, done);
      waiting.add(done);
      if (signal.aborted) done();
      else signal.addEventListener('abort', done);
    });
  }

  wake(attempt: LoginAttempt): void {
    for (const done of this.#waiting.get(attempt) ?? []) done();
    this.#waiting.delete(attempt);
  }
}
