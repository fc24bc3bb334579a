import type { RefreshOutcome } from '../account/granted-tokens.js';
import type { Clock } from '../time/clock.js';

/** So many failures in a row open the breaker, */
const FAILURES = 5;
/** for so long. */
const OPEN_MS = 30_000;

/**
 * Keeps requests from a provider that does not answer as it should. After five failures in a row it lets
 * none through for half a minute, then one, whose outcome decides for all who wait for it. A provider that
 * says when to come back is taken at its word.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  #failures = 0;
  #notBeforeMs = 0;
  #probe: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Asks the provider, or says when it may be asked again.
   * @param isDue whether it is still to be asked, after what this has waited for
   */
  async run(ask: () => Promise<RefreshOutcome>, isDue = () => true): Promise<RefreshOutcome> {
    while (this.#probe) await this.#probe;
    if (!isDue()) return unavailable('The turn of this request came too late.', undefined);
    const waitMs = this.#notBeforeMs - this.#clock.now();
    if (waitMs > 0)
      return unavailable('The provider has failed too often lately to be asked now.', waitMs / 1000);
    return this.#failures >= FAILURES ? this.#findOut(ask) : this.#note(await ask());
  }

  /** The provider has shown that it answers. */
  succeeded(): void {
    this.#failures = 0;
    this.#notBeforeMs = 0;
  }

  async #findOut(ask: () => Promise<RefreshOutcome>): Promise<RefreshOutcome> {
    let done: () => void = () => undefined;
    this.#probe = new Promise((resolve) => {
      done = resolve;
    });
    try {
      return this.#note(await ask());
    } finally {
      this.#probe = undefined;
      done();
    }
  }

  #note(outcome: RefreshOutcome): RefreshOutcome {
    if (outcome.kind === 'granted' || outcome.kind === 'grant_revoked') {
      this.succeeded();
      return outcome;
    }
    const now = this.#clock.now();
    this.#failures++;
    if (this.#failures >= FAILURES) this.#waitUntil(now + OPEN_MS);
    if ('retryAfterSeconds' in outcome) this.#waitUntil(now + (outcome.retryAfterSeconds ?? 0) * 1000);
    return outcome;
  }

  #waitUntil(atMs: number): void {
    this.#notBeforeMs = Math.max(this.#notBeforeMs, atMs);
  }
}

function unavailable(why: string, retryAfterSeconds: number | undefined): RefreshOutcome {
  return { kind: 'unavailable', retryAfterSeconds, cause: new Error(why) };
}
