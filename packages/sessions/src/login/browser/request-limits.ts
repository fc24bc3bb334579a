import type { ClientKey } from '../../limits/client-key.js';
import type { Limits } from '../../limits/limits.js';
import type { RateLimit, Rates } from '../../limits/rates.js';
import type { MaybePromise } from '../../time/promises.js';
import { digestOf } from '../../vault/secret-digest.js';

/** The maximum number of page requests of one login in a minute; a login takes four. */
const MAX_REQUESTS_PER_LOGIN = 60;
const OF_LOGIN: RateLimit = { name: 'pages of a login', perMinute: MAX_REQUESTS_PER_LOGIN };

/**
 * Limits requests for login pages. Requests of a login count for that login and never for their address, so that many
 * users behind one address can log in at the same time. Requests that belong to no login count for their address.
 * Requests of this machine are not counted.
 */
export class LoginRequestLimits {
  readonly #rates: Rates;
  readonly #ofAddress: RateLimit;

  constructor(
    { invalidLoginRequestsPerMinute }: Pick<Limits, 'invalidLoginRequestsPerMinute'>,
    rates: Rates,
  ) {
    this.#rates = rates;
    this.#ofAddress = { name: 'invalid login requests', perMinute: invalidLoginRequestsPerMinute };
  }

  /** Counts a request for a page of a login. @returns the seconds to wait; `undefined` if it is served */
  ofLogin(clientKey: ClientKey | undefined, attemptId: string): MaybePromise<number | undefined> {
    return clientKey === undefined ? undefined : this.#rates.take(OF_LOGIN, digestOf(attemptId));
  }

  /** Counts a request that belongs to no login. @returns the seconds to wait; `undefined` if it is served */
  ofAddress(clientKey: ClientKey | undefined): MaybePromise<number | undefined> {
    return clientKey === undefined ? undefined : this.#rates.take(this.#ofAddress, clientKey);
  }
}
