import type { Limits } from '../limits/limits.js';
import { RateLimiter, type RateLimiterOptions } from '../limits/rate-limiter.js';
import { tooManyRequests } from '../limits/too-many-requests.js';
import type { SessionEvents } from '../session/session-events.js';
import { type LoginOrigin, quotaKeyOf } from './login-attempt.js';

export interface LoginRateLimitOptions extends Omit<RateLimiterOptions, 'perMinute'> {
  readonly limits: Pick<Limits, 'loginStartsPerMinute' | 'loginStartsPerUserPerMinute'>;
  readonly events: SessionEvents;
}

type Origin = Omit<LoginOrigin, 'clientName'>;

/** How often logins are started: by each user or, where nobody says who they are, from each address. */
export class LoginRateLimit {
  readonly #ofAddress: RateLimiter;
  readonly #ofUser: RateLimiter;
  readonly #events: SessionEvents;

  constructor(options: LoginRateLimitOptions) {
    this.#events = options.events;
    const { limits } = options;
    this.#ofAddress = new RateLimiter({ ...options, perMinute: limits.loginStartsPerMinute });
    this.#ofUser = new RateLimiter({ ...options, perMinute: limits.loginStartsPerUserPerMinute });
  }

  /** @throws SessionError `too_many_requests` if another one may not be started yet */
  assertMay(origin: Origin): void {
    if (isCounted(origin)) this.#refuseFor(this.#limiterFor(origin).waitSeconds(quotaKeyOf(origin)));
  }

  /** Counts one that is started. @throws SessionError as `assertMay` */
  count(origin: Origin): void {
    if (isCounted(origin)) this.#refuseFor(this.#limiterFor(origin).take(quotaKeyOf(origin)));
  }

  #limiterFor({ initiator }: Origin): RateLimiter {
    return initiator ? this.#ofUser : this.#ofAddress;
  }

  #refuseFor(seconds: number | undefined): void {
    if (seconds === undefined) return;
    this.#events.emit({ type: 'login.refused', reason: 'too_often' });
    throw tooManyRequests('Too many logins were started from here within a minute.', seconds);
  }
}

/** What comes from this machine is not, nor is what nobody knows the origin of. */
function isCounted({ origin, initiator, clientKey }: Origin): boolean {
  return origin !== 'local' && (initiator !== undefined || clientKey !== undefined);
}
