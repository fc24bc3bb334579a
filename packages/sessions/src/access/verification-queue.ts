import { SessionError } from '../errors.js';
import type { ClientKey } from '../limits/client-key.js';
import type { RateLimiter } from '../limits/rate-limiter.js';
import { tooManyRequests } from '../limits/too-many-requests.js';
import type { ReadClaims } from './token-claims.js';

/** How many tokens of one address are verified at the same time, */
const MAX_IN_FLIGHT = 20;
/** and how many may wait for that. */
const MAX_WAITING = 480;

/** A token that is to be verified. */
interface Guess {
  readonly verify: () => ReadClaims | Promise<ReadClaims>;
  readonly resolve: (read: ReadClaims) => void;
  readonly reject: (error: unknown) => void;
}

/** What an address has brought. */
interface Share {
  underWay: number;
  /** The oldest first. */
  readonly waiting: Guess[];
}

/**
 * The tokens that are not known yet, each of which may cost the authorization server a request. Until it is verified
 * a token counts as one that is not valid: whoever brings many at once gets no further than one after the other.
 * Those for whom nothing is left by that wait for what becomes of the others.
 */
export class VerificationQueue {
  readonly #refusedTokens: RateLimiter;
  readonly #shares = new Map<ClientKey, Share>();

  /** @param refusedTokens how many tokens that are not valid an address may bring */
  constructor(refusedTokens: RateLimiter) {
    this.#refusedTokens = refusedTokens;
  }

  /**
   * Verifies a token as soon as it may be.
   * @param clientKey the address that it counts for; absent: it counts for none, and does not wait
   * @throws SessionError `too_many_requests`, `limit_reached`; and what `verify` throws
   */
  async take(clientKey: ClientKey | undefined, verify: Guess['verify']): Promise<ReadClaims> {
    if (clientKey === undefined) return verify();
    const share = this.#shares.get(clientKey) ?? { underWay: 0, waiting: [] };
    if (share.waiting.length >= MAX_WAITING) throw tooMany();
    this.#shares.set(clientKey, share);
    return new Promise((resolve, reject) => {
      share.waiting.push({ verify, resolve, reject });
      this.#goOn(clientKey, share);
    });
  }

  /**
   * Counts a verified token if it is invalid.
   * @param clientKey as for {@link take}
   * @throws SessionError `too_many_requests`
   */
  judge(clientKey: ClientKey | undefined, read: ReadClaims): ReadClaims {
    const seconds =
      clientKey === undefined || isGenuine(read) ? undefined : this.#refusedTokens.take(clientKey);
    if (seconds !== undefined) throw tooManyRefused(seconds);
    return read;
  }

  #goOn(clientKey: ClientKey, share: Share): void {
    while (share.underWay < MAX_IN_FLIGHT && share.waiting.length > 0) {
      const seconds = this.#refusedTokens.take(clientKey);
      if (seconds === undefined) void this.#verify(clientKey, share);
      // What is under way may still be given back.
      else if (share.underWay > 0) return;
      else for (const { reject } of share.waiting.splice(0)) reject(tooManyRefused(seconds));
    }
    if (share.underWay === 0) this.#shares.delete(clientKey);
  }

  async #verify(clientKey: ClientKey, share: Share): Promise<void> {
    const guess = share.waiting.shift();
    if (!guess) return;
    share.underWay++;
    try {
      const read = await guess.verify();
      if (isGenuine(read)) this.#refusedTokens.giveBack(clientKey);
      guess.resolve(read);
    } catch (error) {
      // Nothing is known of the token.
      this.#refusedTokens.giveBack(clientKey);
      guess.reject(error);
    }
    share.underWay--;
    this.#goOn(clientKey, share);
  }
}

/** Whether the authorization server issued a token for this server, even if the token has expired. */
function isGenuine(read: ReadClaims): boolean {
  return 'principal' in read || read.reason === 'expired';
}

function tooManyRefused(retryAfterSeconds: number): SessionError {
  return tooManyRequests('Too many access tokens from your address were not valid.', retryAfterSeconds);
}

function tooMany(): SessionError {
  const message = 'Too many access tokens from your address are being verified. Try again in a moment.';
  return new SessionError('limit_reached', message, { retryAfterSeconds: 1 });
}
