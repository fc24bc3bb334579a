import type { ClientKey } from '../../limits/client-key.js';
import type { Limits } from '../../limits/limits.js';
import { RateLimiter, type RateLimiterOptions } from '../../limits/rate-limiter.js';
import { digestOf } from '../../vault/secret-digest.js';

/** The maximum number of page requests of one login in a minute; a login takes four. */
const MAX_REQUESTS_PER_LOGIN = 60;

/**
 * Limits requests for login pages. Requests of a login count for that login and never for their address, so that many
 * users behind one address can log in at the same time. Requests that belong to no login count for their address.
 * Requests of this machine are not counted.
 */
export class LoginRequestLimits {
  readonly #ofLogin: RateLimiter;
  readonly #ofAddress: RateLimiter;

  constructor(
    { invalidLoginRequestsPerMinute }: Pick<Limits, 'invalidLoginRequestsPerMinute'>,
    options: Omit<RateLimiterOptions, 'perMinute'>,
  ) {
    this.#ofLogin = new RateLimiter({ ...options, perMinute: MAX_REQUESTS_PER_LOGIN });
    this.#ofAddress = new RateLimiter({ ...options, perMinute: invalidLoginRequestsPerMinute });
  }

  /** Counts a request for a page of a login. @returns the seconds to wait; `undefined` if it is served */
  ofLogin(clientKey: ClientKey | undefined, attemptId: string): number | undefined {
    return clientKey === undefined ? undefined : this.#ofLogin.take(digestOf(attemptId));
  }

  /** Counts a request that belongs to no login. @returns the seconds to wait; `undefined` if it is served */
  ofAddress(clientKey: ClientKey | undefined): number | undefined {
    return clientKey === undefined ? undefined : this.#ofAddress.take(clientKey);
  }
}
