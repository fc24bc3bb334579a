import { SessionError } from '../errors.js';
import type { Clock } from '../time/clock.js';

/** How often a store that fails is asked before its error is passed on. */
const TRIES = 3;
const PAUSE_MS = 50;

/** Asks a store that fails a few times more, with pauses. */
export class StoreRetry {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws SessionError `store_unavailable` */
  async on<T>(ask: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; ) {
      try {
        return await ask();
      } catch (cause) {
        await this.afterFailure(++failures, cause);
      }
    }
  }

  /** Waits until it is worth asking again. @throws SessionError `store_unavailable` when that has been done enough */
  async afterFailure(failures: number, cause: unknown): Promise<void> {
    if (failures >= TRIES) throw storeUnavailable(cause);
    await new Promise<void>((resolve) => this.#clock.after(PAUSE_MS, resolve));
  }
}

function storeUnavailable(cause: unknown): SessionError {
  return new SessionError('store_unavailable', 'The session store did not answer. Try again in a moment.', {
    cause,
    retryAfterSeconds: 1,
  });
}
