import pLimit, { type LimitFunction } from 'p-limit';
import type { RefreshOutcome, RefreshTokens } from '../account/granted-tokens.js';
import type { SessionEvents } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { CircuitBreaker } from './circuit-breaker.js';

/** How many refreshes are under way at one provider. */
const MOST_AT_ONCE = 50;
/** How often a refresh is tried that was not done. */
const TRIES = 3;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
/** A refresh whose answer was lost is sent again within this time, once. */
const RESEND_WITHIN_MS = 5000;

export interface RefreshPolicyOptions {
  readonly clock: Clock;
  readonly events: SessionEvents;
  /** One request to a provider's token endpoint. */
  readonly ask: (provider: string, refreshToken: Parameters<RefreshTokens>[1]) => Promise<RefreshOutcome>;
  /** A random number from 0 to 1, for jitter. */
  readonly fraction: () => number;
}

/** What stands between this server and one provider. */
interface Gate {
  readonly breaker: CircuitBreaker;
  readonly inTurn: LimitFunction;
}

/**
 * How hard a provider is pressed for a refresh: a bounded number at once, three tries with growing random
 * pauses, none while its breaker is open, and one repetition, no more, of a request whose answer was lost.
 */
export class RefreshPolicy {
  readonly #options: RefreshPolicyOptions;
  readonly #gates = new Map<string, Gate>();

  constructor(options: RefreshPolicyOptions) {
    this.#options = options;
    options.events.subscribe((event) => {
      // Whoever can log somebody in can refresh.
      if (event.type === 'account.authenticated') this.#gateOf(event.provider).breaker.succeeded();
    });
  }

  readonly refresh: RefreshTokens = async (provider, refreshToken, isWanted) => {
    const { inTurn, breaker } = this.#gateOf(provider);
    const ask = (isDue?: () => boolean) =>
      inTurn(() => breaker.run(() => this.#options.ask(provider, refreshToken), isDue));
    for (let tries = 1; ; tries++) {
      const outcome = await ask();
      if (outcome.kind === 'lost') return this.#resend(ask, outcome, isWanted);
      if (outcome.kind !== 'unavailable' || tries === TRIES) return outcome;
      const askedMs = (outcome.retryAfterSeconds ?? 0) * 1000;
      if (askedMs > LONGEST_PAUSE_MS) return outcome;
      await this.#pause(Math.max(askedMs, this.#jittered(FIRST_PAUSE_MS * 2 ** (tries - 1))));
      if (!(await isWanted())) return { kind: 'unwanted' };
    }
  };

  /** Whether the refresh token was used up, only the provider knows: asking once more finds out. */
  async #resend(
    ask: (isDue: () => boolean) => Promise<RefreshOutcome>,
    lost: RefreshOutcome,
    isWanted: () => Promise<boolean>,
  ): Promise<RefreshOutcome> {
    const { clock } = this.#options;
    const dueUntilMs = clock.now() + RESEND_WITHIN_MS;
    await this.#pause(this.#jittered(RESEND_WITHIN_MS / 2));
    if (!(await isWanted())) return { kind: 'unwanted' };
    const outcome = await ask(() => clock.now() <= dueUntilMs);
    return outcome.kind === 'unavailable' || outcome.kind === 'refused' ? lost : outcome;
  }

  /** Full jitter: anything from nothing to the whole. */
  #jittered(longestMs: number): number {
    return this.#options.fraction() * Math.min(longestMs, LONGEST_PAUSE_MS);
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(durationMs, resolve));
  }

  #gateOf(provider: string): Gate {
    const known = this.#gates.get(provider);
    if (known) return known;
    const gate = { breaker: new CircuitBreaker(this.#options.clock), inTurn: pLimit(MOST_AT_ONCE) };
    this.#gates.set(provider, gate);
    return gate;
  }
}
