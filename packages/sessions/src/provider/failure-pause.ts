import { ProviderError, type ProviderFailure } from '../session/provider-failures.js';
import type { Clock } from '../time/clock.js';

/** How long a request that has failed is not repeated. */
const PAUSE_MS = 2000;

/**
 * Ends the requests of the two seconds after a failure with that failure, so that tokens of many clients do not cause a
 * request each while the provider is down.
 */
export class FailurePause {
  readonly #clock: Clock;
  #error: ProviderError | undefined;
  #untilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param pauses whether a failure is one of every request. Default: each is */
  async run<T>(
    request: () => Promise<T>,
    pauses: (failure: ProviderFailure) => boolean = () => true,
  ): Promise<T> {
    if (this.#error && this.#clock.now() < this.#untilMs) throw this.#error;
    try {
      return await request();
    } catch (error) {
      if (error instanceof ProviderError && pauses(error.failure)) {
        this.#error = error;
        this.#untilMs = this.#clock.now() + PAUSE_MS;
      }
      throw error;
    }
  }
}
