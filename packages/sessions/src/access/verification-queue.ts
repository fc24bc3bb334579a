import { SessionError, tooManyRequests } from '../errors.js';
import type { ClientKey } from '../limits/client-key.js';
import type { RateLimiter } from '../limits/rate-limiter.js';
import type { ReadClaims } from './token-claims.js';

/** Verifications in flight for one client key. */
const MAX_VERIFICATIONS = 20;
/** Tokens of one client key that wait for a verification. */
const MAX_WAITING = 480;

interface Verification {
  readonly verify: () => ReadClaims | Promise<ReadClaims>;
  readonly resolve: (read: ReadClaims) => void;
  readonly reject: (error: unknown) => void;
}

/** The tokens of one client key. */
interface TokenQueue {
  inFlight: number;
  /** The oldest first. */
  readonly waiting: Verification[];
}

/**
 * Queues the verification of unknown tokens, each of which may cost the authorization server a request. A token counts
 * as invalid until it is verified, so a client key with its limit of invalid tokens in flight gets no more
 * verifications. Further tokens wait until a verification returns its permit.
 */
export class VerificationQueue {
  readonly #refusedTokens: RateLimiter;
  readonly #queues = new Map<ClientKey, TokenQueue>();

  /** @param refusedTokens limits the invalid tokens of each client key */
  constructor(refusedTokens: RateLimiter) {
    this.#refusedTokens = refusedTokens;
  }

  /**
   * Verifies a token as soon as the limit allows.
   * @param clientKey absent: no limit applies
   * @throws SessionError `too_many_requests`, `limit_reached`; and what `verify` throws
   */
  async verify(clientKey: ClientKey | undefined, verify: Verification['verify']): Promise<ReadClaims> {
    if (clientKey === undefined) return verify();
    const queue = this.#queues.get(clientKey) ?? { inFlight: 0, waiting: [] };
    if (queue.waiting.length >= MAX_WAITING) throw tooManyWaiting();
    this.#queues.set(clientKey, queue);
    return new Promise((resolve, reject) => {
      queue.waiting.push({ verify, resolve, reject });
      this.#startWaiting(clientKey, queue);
    });
  }

  /**
   * Counts a token that is already verified if it is invalid.
   * @param clientKey absent: no limit applies
   * @throws SessionError `too_many_requests`
   */
  countIfInvalid(clientKey: ClientKey | undefined, read: ReadClaims): ReadClaims {
    const seconds =
      clientKey === undefined || isGenuine(read) ? undefined : this.#refusedTokens.take(clientKey);
    if (seconds !== undefined) throw tooManyInvalid(seconds);
    return read;
  }

  #startWaiting(clientKey: ClientKey, queue: TokenQueue): void {
    while (queue.inFlight < MAX_VERIFICATIONS && queue.waiting.length > 0) {
      const seconds = this.#refusedTokens.take(clientKey);
      if (seconds === undefined) void this.#startNext(clientKey, queue);
      // A verification in flight may still return its permit.
      else if (queue.inFlight > 0) return;
      else for (const { reject } of queue.waiting.splice(0)) reject(tooManyInvalid(seconds));
    }
    if (queue.inFlight === 0) this.#queues.delete(clientKey);
  }

  async #startNext(clientKey: ClientKey, queue: TokenQueue): Promise<void> {
    const verification = queue.waiting.shift();
    if (!verification) return;
    queue.inFlight++;
    try {
      const read = await verification.verify();
      if (isGenuine(read)) this.#refusedTokens.giveBack(clientKey);
      verification.resolve(read);
    } catch (error) {
      // The token was not verified, so it does not count as invalid.
      this.#refusedTokens.giveBack(clientKey);
      verification.reject(error);
    }
    queue.inFlight--;
    this.#startWaiting(clientKey, queue);
  }
}

/** Whether the authorization server issued a token for this server, even if the token has expired. */
function isGenuine(read: ReadClaims): boolean {
  return 'principal' in read || read.reason === 'expired';
}

function tooManyInvalid(retryAfterSeconds: number): SessionError {
  return tooManyRequests('Too many access tokens from your address were invalid.', retryAfterSeconds);
}

function tooManyWaiting(): SessionError {
  const message = 'Too many access tokens from your address are being verified. Try again in a moment.';
  return new SessionError('limit_reached', message, { retryAfterSeconds: 1 });
}
