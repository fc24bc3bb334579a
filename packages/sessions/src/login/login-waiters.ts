import { Counter } from '../limits/counter.js';
import type { Clock } from '../time/clock.js';
import { type LoginAttempt, quotaKeyOf } from './login-attempt.js';

/** The maximum number of calls that wait for one login. */
const MAX_PER_LOGIN = 20;
/** The maximum number of waiting calls of one user or address. Each keeps the memory of its response. */
const MAX_PER_CLIENT = 500;

/** The calls that wait for a login to end. */
export class LoginWaiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<LoginAttempt, Set<() => void>>();
  readonly #perQuotaKey = new Counter<string>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether another call may wait for this login. */
  canWait(attempt: LoginAttempt): boolean {
    const perQuotaKey = this.#perQuotaKey.get(quotaKeyOf(attempt.source));
    return (this.#waiting.get(attempt)?.size ?? 0) < MAX_PER_LOGIN && perQuotaKey < MAX_PER_CLIENT;
  }

  /**
   * Resolves when `wake` is called for the attempt, after `timeoutMs`, or when `signal` aborts; at once if no other
   * call may wait.
   */
  wait(attempt: LoginAttempt, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#isClosed || !this.canWait(attempt)) return Promise.resolve();
    const waiting = this.#waiting.get(attempt) ?? new Set();
    this.#waiting.set(attempt, waiting);
    const quotaKey = quotaKeyOf(attempt.source);
    this.#perQuotaKey.add(quotaKey, 1);
    return new Promise((resolve) => {
      const done = () => {
        cancelTimer();
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0) this.#waiting.delete(attempt);
        this.#perQuotaKey.add(quotaKey, -1);
        resolve();
      };
      const cancelTimer = this.#clock.after(timeoutMs, done);
      waiting.add(done);
      if (signal.aborted) done();
      else signal.addEventListener('abort', done);
    });
  }

  /** Resolves all waits, and later ones at once. */
  close(): void {
    this.#isClosed = true;
    for (const attempt of this.#waiting.keys()) this.wake(attempt);
  }

  wake(attempt: LoginAttempt): void {
    for (const done of this.#waiting.get(attempt) ?? []) done();
  }
}
