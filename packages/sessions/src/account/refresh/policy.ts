import pLimit, { type LimitFunction } from 'p-limit';
import type { InternalEvent } from '../../session/session-events.js';
import type { Clock } from '../../time/clock.js';
import { CircuitBreaker, type FinalCheck } from './breaker.js';
import type {
  BeforeSend,
  LostRefresh,
  RefreshGuard,
  RefreshOutcome,
  RefreshTokens,
} from './granted-tokens.js';

/** The maximum number of refreshes in flight at one provider. */
const MAX_REFRESHES = 50;
/** The maximum number of attempts of a refresh that fails. */
const MAX_TRIES = 3;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 8000;
/** A refresh whose response was lost is repeated once, within this time. */
const REPEAT_WITHIN_MS = 5000;
const UNWANTED = { kind: 'unwanted' } as const;

export interface RefreshPolicyOptions {
  readonly clock: Clock;
  /** One request to a provider's token endpoint. */
  readonly sendRefresh: (
    provider: string,
    refreshToken: Parameters<RefreshTokens>[1],
    beforeSend: BeforeSend,
  ) => Promise<RefreshOutcome>;
  /** A random number from 0 to 1, for jitter. */
  readonly fraction: () => number;
}

/** The limits for the requests to one provider. */
interface ProviderLimits {
  readonly breaker: CircuitBreaker;
  readonly limiter: LimitFunction;
}

/**
 * The retry policy of refreshes: a maximum number in flight, three attempts with growing random pauses, no request
 * while the breaker is open, and one repetition of a request whose response was lost.
 */
export class RefreshPolicy {
  readonly #options: RefreshPolicyOptions;
  readonly #limits = new Map<string, ProviderLimits>();

  constructor(options: RefreshPolicyOptions) {
    this.#options = options;
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
    // A provider that completes a login can refresh.
    if (event.type === 'account.authenticated') this.#limitsOf(event.provider).breaker.succeeded();
  }

  readonly refresh: RefreshTokens = async (provider, refreshToken, guard) => {
    const { limiter, breaker } = this.#limitsOf(provider);
    const check = async () => ((await guard.isWanted()) ? undefined : UNWANTED);
    const request = () => this.#options.sendRefresh(provider, refreshToken, guard.beforeSend);
    for (let tries = 1; ; tries++) {
      const outcome = await limiter(() => breaker.run(request, check));
      if (outcome.kind === 'lost') {
        if (guard.isAmbiguous) {
          expectLate(outcome, guard);
          return outcome;
        }
        const repeatRequest = (lastCheck: FinalCheck) => limiter(() => breaker.runAnyway(request, lastCheck));
        const last = await this.#repeat(repeatRequest, outcome, check);
        for (const each of new Set([outcome, last])) expectLate(each, guard);
        return last.kind === 'unwanted' ? { ...last, isAmbiguous: true } : last;
      }
      if (outcome.kind !== 'unavailable' || tries === MAX_TRIES) return outcome;
      const askedMs = (outcome.retryAfterSeconds ?? 0) * 1000;
      if (askedMs > MAX_PAUSE_MS) return outcome;
      await this.#pause(Math.max(askedMs, this.#jittered(FIRST_PAUSE_MS * 2 ** (tries - 1))));
      if (!(await guard.isWanted())) return UNWANTED;
    }
  };

  /**
   * Repeats a refresh whose response was lost, to find out whether the refresh token was used up. If the repetition
   * does not reach the provider, it is tried again until the time is over.
   */
  async #repeat(
    send: (check: FinalCheck) => Promise<RefreshOutcome>,
    lost: LostRefresh,
    check: FinalCheck,
  ): Promise<RefreshOutcome> {
    const { clock } = this.#options;
    const dueUntilMs = clock.now() + REPEAT_WITHIN_MS;
    const lastCheck = async () => (clock.now() > dueUntilMs ? lost : check());
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      await this.#pause(this.#jittered(REPEAT_WITHIN_MS / 2));
      const objection = await lastCheck();
      if (objection) return objection;
      const outcome = await send(lastCheck);
      if (outcome.kind === 'refused') return lost;
      if (outcome.kind !== 'unavailable') return outcome;
    }
    return lost;
  }

  /** Full jitter: a random part of the time. */
  #jittered(longestMs: number): number {
    return this.#options.fraction() * Math.min(longestMs, MAX_PAUSE_MS);
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(durationMs, resolve));
  }

  #limitsOf(provider: string): ProviderLimits {
    const known = this.#limits.get(provider);
    if (known) return known;
    const limits = { breaker: new CircuitBreaker(this.#options.clock), limiter: pLimit(MAX_REFRESHES) };
    this.#limits.set(provider, limits);
    return limits;
  }
}

function expectLate(outcome: RefreshOutcome, guard: RefreshGuard): void {
  if (outcome.kind === 'lost' && outcome.late) guard.expectLate(outcome.late);
}
