import { storeUnavailable } from '../errors.js';
import type { Clock } from '../time/clock.js';

/** The number of attempts before the error of the store is passed on. */
const MAX_ATTEMPTS = 3;
const PAUSE_MS = 50;

/** Retries operations of a store that fails, with pauses. */
export class StoreRetry {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws SessionError `store_unavailable` */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; ) {
      try {
        return await operation();
      } catch (cause) {
        await this.afterFailure(++failures, cause);
      }
    }
  }

  /** Waits before the next attempt. @throws SessionError `store_unavailable` after the last attempt */
  async afterFailure(failures: number, cause: unknown): Promise<void> {
    if (failures >= MAX_ATTEMPTS) throw storeUnavailable(cause);
    await new Promise<void>((resolve) => this.#clock.after(PAUSE_MS, resolve));
  }
}
