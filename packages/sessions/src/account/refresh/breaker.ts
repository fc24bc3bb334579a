import type { Clock } from '../../time/clock.js';
import type { RefreshOutcome } from './granted-tokens.js';

/** The number of failures in a row that opens the breaker. */
const MAX_FAILURES = 5;
/** How long the breaker stays open. */
const OPEN_MS = 30_000;

/**
 * Checks right before a request whether to send it.
 * @returns the outcome instead of a request; `undefined` to send it
 */
export type FinalCheck = () => Promise<RefreshOutcome | undefined>;

/**
 * A circuit breaker for the requests to a provider that fails. After five failures in a row it sends no request for 30
 * seconds, then one probe, whose outcome decides for the requests that wait. It observes `Retry-After`, also if other
 * requests succeed in the meantime.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  #failures = 0;
  #openUntilMs = 0;
  /** The end of the provider's `Retry-After`. */
  #notBeforeMs = 0;
  #probe: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sends a request, or returns when the next one may be sent. */
  async run(send: () => Promise<RefreshOutcome>, check: FinalCheck = sendAlways): Promise<RefreshOutcome> {
    while (this.#probe) await this.#probe;
    const objection = await check();
    if (objection) return objection;
    // Another call may have started a probe during the check.
    if (this.#probe) return this.run(send, check);
    const waitMs = Math.max(this.#openUntilMs, this.#notBeforeMs) - this.#clock.now();
    if (waitMs > 0) {
      const cause = new Error('The provider failed too often, or asked for a delay.');
      return { kind: 'unavailable', retryAfterSeconds: waitMs / 1000, cause };
    }
    return this.#failures >= MAX_FAILURES ? this.#sendProbe(send) : this.#note(await send());
  }

  /** Sends a request although the breaker may be open: for requests that cannot wait. */
  async runAnyway(send: () => Promise<RefreshOutcome>, check: FinalCheck): Promise<RefreshOutcome> {
    return (await check()) ?? this.#note(await send());
  }

  /** Closes the breaker: the provider works. */
  succeeded(): void {
    this.#failures = 0;
    this.#openUntilMs = 0;
  }

  async #sendProbe(send: () => Promise<RefreshOutcome>): Promise<RefreshOutcome> {
    let done: () => void = () => undefined;
    this.#probe = new Promise((resolve) => {
      done = resolve;
    });
    try {
      return this.#note(await send());
    } finally {
      this.#probe = undefined;
      done();
    }
  }

  #note(outcome: RefreshOutcome): RefreshOutcome {
    const now = this.#clock.now();
    switch (outcome.kind) {
      case 'granted':
      case 'grant_revoked':
      // The provider works. Its answer concerns this account only.
      case 'refused':
        this.succeeded();
        break;
      case 'unavailable':
      case 'lost':
        this.#failures++;
        if (this.#failures >= MAX_FAILURES) this.#openUntilMs = Math.max(this.#openUntilMs, now + OPEN_MS);
        break;
      case 'unwanted':
    }
    if ('retryAfterSeconds' in outcome) {
      this.#notBeforeMs = Math.max(this.#notBeforeMs, now + (outcome.retryAfterSeconds ?? 0) * 1000);
    }
    return outcome;
  }
}

const sendAlways: FinalCheck = () => Promise.resolve(undefined);
