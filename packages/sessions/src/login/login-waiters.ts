import { Counter } from '../limits/counter.js';
import type { Clock } from '../time/clock.js';
import { type LoginAttempt, quotaKeyOf } from './login-attempt.js';

/** How many calls may wait for one login, */
const MAX_PER_LOGIN = 20;
/** and how many of one user or address: each keeps what it needs for its answer. */
const MAX_PER_CLIENT = 500;

/** Calls that wait for a browser. */
export class LoginWaiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<LoginAttempt, Set<() => void>>();
  readonly #perQuotaKey = new Counter<string>();
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether another call may wait for this login. */
  hasRoomFor(attempt: LoginAttempt): boolean {
    const perQuotaKey = this.#perQuotaKey.get(quotaKeyOf(attempt.origin));
    return (this.#waiting.get(attempt)?.size ?? 0) < MAX_PER_LOGIN && perQuotaKey < MAX_PER_CLIENT;
  }

  /** Resolves when the attempt is woken, after `timeoutMs`, or when `signal` aborts; at once if there is no room. */
  wait(attempt: LoginAttempt, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#isOver || !this.hasRoomFor(attempt)) return Promise.resolve();
    const waiting = this.#waiting.get(attempt) ?? new Set();
    this.#waiting.set(attempt, waiting);
    const quotaKey = quotaKeyOf(attempt.origin);
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

  /** Ends all waits, and every later one at once. */
  wakeAll(): void {
    this.#isOver = true;
    for (const attempt of this.#waiting.keys()) this.wake(attempt);
  }

  wake(attempt: LoginAttempt): void {
    for (const done of this.#waiting.get(attempt) ?? []) done();
  }
}
