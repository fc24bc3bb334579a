import { tooManyRequests } from '../errors.js';
import type { Limits } from '../limits/limits.js';
import { RateLimiter, type RateLimiterOptions } from '../limits/rate-limiter.js';
import type { SessionEvents } from '../session/session-events.js';
import { type LoginSource, quotaKeyOf } from './login-attempt.js';

export interface LoginRateLimitOptions extends Omit<RateLimiterOptions, 'perMinute'> {
  readonly limits: Pick<Limits, 'loginStartsPerMinute' | 'loginStartsPerUserPerMinute'>;
  readonly events: SessionEvents;
}

type Source = Omit<LoginSource, 'clientName'>;

/** Limits how many logins each user or, in open access, each address starts within a minute. */
export class LoginRateLimit {
  readonly #perAddress: RateLimiter;
  readonly #perUser: RateLimiter;
  readonly #events: SessionEvents;

  constructor(options: LoginRateLimitOptions) {
    this.#events = options.events;
    const { limits } = options;
    this.#perAddress = new RateLimiter({ ...options, perMinute: limits.loginStartsPerMinute });
    this.#perUser = new RateLimiter({ ...options, perMinute: limits.loginStartsPerUserPerMinute });
  }

  /** @throws SessionError `too_many_requests` if the limit is reached */
  assertAllowed(source: Source): void {
    if (isCounted(source)) this.#refuseFor(this.#limiterFor(source).waitSeconds(quotaKeyOf(source)));
  }

  /** Counts a login. @throws SessionError as `assertAllowed` */
  count(source: Source): void {
    if (isCounted(source)) this.#refuseFor(this.#limiterFor(source).take(quotaKeyOf(source)));
  }

  #limiterFor({ initiator }: Source): RateLimiter {
    return initiator ? this.#perUser : this.#perAddress;
  }

  #refuseFor(seconds: number | undefined): void {
    if (seconds === undefined) return;
    this.#events.emit({ type: 'login.refused', reason: 'rate_limited' });
    throw tooManyRequests('Too many logins were started within a minute.', seconds);
  }
}

/** Requests over loopback are not counted, nor are those of an unknown address in open access. */
function isCounted({ origin, initiator, clientKey }: Source): boolean {
  return origin !== 'local' && (initiator !== undefined || clientKey !== undefined);
}
