import { tooManyRequests } from '../errors.js';
import type { Limits } from '../limits/limits.js';
import type { RateLimit, Rates } from '../limits/rates.js';
import type { SessionEvents } from '../session/session-events.js';
import { andThen, type MaybePromise } from '../time/promises.js';
import { type LoginSource, quotaKeyOf } from './login-attempt.js';

export interface LoginRateLimitOptions {
  readonly rates: Rates;
  readonly limits: Pick<Limits, 'loginStartsPerMinute' | 'loginStartsPerUserPerMinute'>;
  readonly events: SessionEvents;
}

type Source = Omit<LoginSource, 'clientName'>;

/** Limits how many logins each user or, in open access, each address starts within a minute. */
export class LoginRateLimit {
  readonly #rates: Rates;
  readonly #perAddress: RateLimit;
  readonly #perUser: RateLimit;
  readonly #events: SessionEvents;

  constructor({ rates, limits, events }: LoginRateLimitOptions) {
    this.#rates = rates;
    this.#events = events;
    this.#perAddress = { name: 'logins of an address', perMinute: limits.loginStartsPerMinute };
    this.#perUser = { name: 'logins of a user', perMinute: limits.loginStartsPerUserPerMinute };
  }

  /** @throws SessionError `too_many_requests` if the limit is reached, `store_unavailable` */
  async assertAllowed(source: Source): Promise<void> {
    if (isCounted(source))
      this.#refuseFor(await this.#rates.wait(this.#limitFor(source), quotaKeyOf(source)));
  }

  /** Counts a login; in this tick, if the store is in this process. @throws SessionError as `assertAllowed` */
  count(source: Source): MaybePromise<void> {
    if (!isCounted(source)) return undefined;
    const answer = this.#rates.take(this.#limitFor(source), quotaKeyOf(source));
    return andThen(answer, (seconds) => this.#refuseFor(seconds));
  }

  #limitFor({ initiator }: Source): RateLimit {
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
