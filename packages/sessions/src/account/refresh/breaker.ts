import type { Clock } from '../../time/clock.js';
import type { RefreshOutcome } from './granted-tokens.js';

/** So many failures in a row open the breaker, */
const FAILURES = 5;
/** for so long. */
const OPEN_MS = 30_000;

/** Looks, just before the provider is asked, whether it still is to be. @returns what to say instead, if not */
export type FinalCheck = () => Promise<RefreshOutcome | undefined>;

/**
 * Keeps requests from a provider that does not answer as it should. After five failures in a row it lets
 * none through for half a minute, then one, whose outcome decides for all who wait for it. A provider that
 * says when to come back is taken at its word, whatever it answers to others meanwhile.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  #failures = 0;
  #openUntilMs = 0;
  /** What the provider itself has asked for. */
  #notBeforeMs = 0;
  #probe: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks the provider, or says when it may be asked again. */
  async run(ask: () => Promise<RefreshOutcome>, look: FinalCheck = noObjection): Promise<RefreshOutcome> {
    while (this.#probe) await this.#probe;
    const objection = await look();
    if (objection) return objection;
    // Somebody else may have looked at the same time, and be finding out already.
    if (this.#probe) return this.run(ask, look);
    const waitMs = Math.max(this.#openUntilMs, this.#notBeforeMs) - this.#clock.now();
    if (waitMs > 0) {
      const cause = new Error('The provider has failed too often lately, or has asked not to be asked now.');
      return { kind: 'unavailable', retryAfterSeconds: waitMs / 1000, cause };
    }
    return this.#failures >= FAILURES ? this.#findOut(ask) : this.#note(await ask());
  }

  /** Asks the provider although the breaker may be open: for what must be asked now or never. */
  async runAnyway(ask: () => Promise<RefreshOutcome>, look: FinalCheck): Promise<RefreshOutcome> {
    return (await look()) ?? this.#note(await ask());
  }

  /** The provider has shown that it answers. */
  succeeded(): void {
    this.#failures = 0;
    this.#openUntilMs = 0;
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
    const now = this.#clock.now();
    switch (outcome.kind) {
      case 'granted':
      case 'grant_revoked':
      // It answers; what it has against this account is no reason to keep others waiting.
      case 'refused':
        this.succeeded();
        break;
      case 'unavailable':
      case 'lost':
        this.#failures++;
        if (this.#failures >= FAILURES) this.#openUntilMs = Math.max(this.#openUntilMs, now + OPEN_MS);
        break;
      case 'unwanted':
    }
    if ('retryAfterSeconds' in outcome) {
      this.#notBeforeMs = Math.max(this.#notBeforeMs, now + (outcome.retryAfterSeconds ?? 0) * 1000);
    }
    return outcome;
  }
}

const noObjection: FinalCheck = () => Promise.resolve(undefined);
