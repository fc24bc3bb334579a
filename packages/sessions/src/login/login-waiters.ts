import { Counter } from '../limits/counter.js';
import type { Messages } from '../session/messages.js';
import type { Clock } from '../time/clock.js';
import type { AttemptKey, PendingAttempt } from './attempt-record.js';

/** The maximum number of calls that wait for one login. */
const MAX_PER_LOGIN = 20;
/** The maximum number of waiting calls of one user or address. Each keeps the memory of its response. */
const MAX_PER_CLIENT = 500;

/** The topic of the messages about a login: it has ended, or needs a confirmation code. */
export function topicOf(key: AttemptKey): string {
  return `login ${key}`;
}

/** The calls at this node that wait for a login to end. */
export class LoginWaiters {
  readonly #messages: Messages;
  readonly #clock: Clock;
  readonly #perLogin = new Counter<AttemptKey>();
  readonly #perQuotaKey = new Counter<string>();
  /** Ends each wait. */
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  constructor(messages: Messages, clock: Clock) {
    this.#messages = messages;
    this.#clock = clock;
  }

  /** Whether another call may wait for this login. */
  canWait({ key, quotaKey }: PendingAttempt): boolean {
    return this.#perLogin.get(key) < MAX_PER_LOGIN && this.#perQuotaKey.get(quotaKey) < MAX_PER_CLIENT;
  }

  /**
   * Resolves at a message about the attempt, after `timeoutMs`, or when `signal` aborts; at once if no other call may
   * wait. Read the attempt after this call and again after it has resolved: messages can be lost.
   */
  wait(attempt: PendingAttempt, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#isClosed || signal.aborted || !this.canWait(attempt)) return Promise.resolve();
    const { key, quotaKey } = attempt;
    this.#perLogin.add(key, 1);
    this.#perQuotaKey.add(quotaKey, 1);
    return new Promise((resolve) => {
      const done = () => {
        if (!this.#waiting.delete(done)) return;
        unsubscribe();
        cancelTimer();
        signal.removeEventListener('abort', done);
        this.#perLogin.add(key, -1);
        this.#perQuotaKey.add(quotaKey, -1);
        resolve();
      };
      this.#waiting.add(done);
      const unsubscribe = this.#messages.subscribe(topicOf(key), done);
      const cancelTimer = this.#clock.after(timeoutMs, done);
      signal.addEventListener('abort', done);
    });
  }

  /** Resolves all waits, and later ones at once. */
  close(): void {
    this.#isClosed = true;
    for (const done of [...this.#waiting]) done();
  }
}
