import { createHash } from 'node:crypto';
import { SessionError } from '../errors.js';
import type { ClientKey } from '../limits/client-key.js';
import type { RateLimiter } from '../limits/rate-limiter.js';
import type { Clock } from '../time/clock.js';
import { type Access, type Admission, type ArrivingRequest, refused } from './access.js';
import type { Principal } from './principal.js';
import type { ReadClaims } from './token-claims.js';
import type { TokenFault } from './token-fault.js';
import { VerificationQueue } from './verification-queue.js';

export interface BearerAdmissionOptions {
  /**
   * Returns the metadata of the authorization server (RFC 8414).
   * @throws SessionError if it cannot be discovered
   */
  readonly describeIssuer: () => Promise<Record<string, unknown>>;
  /** Finds out whose token it is. @throws SessionError when that cannot be found out */
  readonly verify: (token: string) => Promise<ReadClaims>;
  /** Whether a token can be verified without introspection. Default: no token can. */
  readonly isSelfContained?: (token: string) => boolean;
  readonly requiredScopes: readonly string[];
  /** How many tokens that are not valid an address may bring. */
  readonly refusedTokens: RateLimiter;
  readonly clock: Clock;
  /** Called for every refused token. */
  readonly onRefused?: (fault: TokenFault) => void;
}

/** A token that was verified is believed so long, and never for longer than it lives. */
const BELIEVED_MS = 60_000;
const MAX_VERIFIED = 10_000;
/** A token that was refused is not verified again for so long. */
const DISBELIEVED_MS = 10_000;
const MAX_REJECTED = 10_000;
/** How long an accepted token is remembered as genuine, in milliseconds. */
const GENUINE_MS = 24 * 60 * 60 * 1000;
const MAX_GENUINE = 10_000;
const MAX_CHARACTERS = 8192;

/** RFC 6750 section 2.1. */
const BEARER_PATTERN = /^Bearer +([\w.~+/-]+=*)$/i;

/** A token that has been verified. */
interface Believed {
  readonly principal: Principal;
  readonly untilMs: number;
}

/** A token that was refused. */
interface Disbelieved {
  readonly fault: TokenFault;
  readonly untilMs: number;
}

/** Lets those in who bring an access token of the authorization server (RFC 6750). */
export class BearerAccess implements Access {
  readonly #options: BearerAdmissionOptions;
  readonly #guesses: VerificationQueue;
  /** By digest: nothing here lets anybody in. The oldest first. */
  readonly #verified = new Map<string, Believed>();
  readonly #verifying = new Map<string, Promise<ReadClaims>>();
  /** Why tokens were refused, by digest; the oldest first. */
  readonly #rejected = new Map<string, Disbelieved>();
  /** Accepted tokens by digest; the oldest first. */
  readonly #genuine = new Map<string, { readonly untilMs: number }>();

  constructor(options: BearerAdmissionOptions) {
    this.#options = options;
    this.#guesses = new VerificationQueue(options.refusedTokens);
  }

  async prepare(): Promise<void> {
    await this.describeIssuer();
  }

  describeIssuer(): Promise<Record<string, unknown>> {
    return this.#options.describeIssuer();
  }

  async admit({ authorization, clientKey }: ArrivingRequest): Promise<Admission> {
    if (authorization === null) {
      return refused({
        status: 401,
        description: 'Send an access token. `resource_metadata` says where to get one.',
      });
    }
    const token = BEARER_PATTERN.exec(authorization)?.[1];
    if (token === undefined || token.length > MAX_CHARACTERS) {
      return this.#refuse(UNREADABLE);
    }
    try {
      const read = await this.#read(token, clientKey);
      if ('principal' in read) return this.#withScopes(read.principal);
      return this.#refuse(read, `The access token is refused. ${read.fault}`);
    } catch (error) {
      return unverifiable(error);
    }
  }

  async #read(token: string, clientKey: ClientKey | undefined): Promise<ReadClaims> {
    const digest = createHash('sha256').update(token).digest('base64url');
    const known = this.#known(digest);
    if (known) return known;
    // An accepted token was not guessed, even if it has expired or was revoked since.
    if (this.#isGenuine(digest)) return this.#verify(token, digest);
    // A token that can be verified here is never refused because of other invalid tokens of the address.
    if (this.#options.isSelfContained?.(token))
      return this.#guesses.judge(clientKey, await this.#verify(token, digest));
    return this.#guesses.take(clientKey, () => this.#known(digest) ?? this.#verify(token, digest));
  }

  #isGenuine(digest: string): boolean {
    const genuine = this.#genuine.get(digest);
    return genuine !== undefined && genuine.untilMs > this.#options.clock.now();
  }

  /** What is known of a token already, or is just being found out. */
  #known(digest: string): ReadClaims | Promise<ReadClaims> | undefined {
    const now = this.#options.clock.now();
    const verified = this.#verified.get(digest);
    if (verified && verified.untilMs > now) return { principal: verified.principal };
    const rejected = this.#rejected.get(digest);
    if (rejected && rejected.untilMs > now) return rejected.fault;
    return this.#verifying.get(digest);
  }

  #verify(token: string, digest: string): Promise<ReadClaims> {
    const now = this.#options.clock.now();
    const verifying = this.#options
      .verify(token)
      .then((read) => {
        if ('principal' in read) this.#believe(digest, read.principal, now);
        else this.#disbelieve(digest, read);
        return read;
      })
      .finally(() => this.#verifying.delete(digest));
    this.#verifying.set(digest, verifying);
    return verifying;
  }

  /** @param askedAtMs when its verification began: what happened since then, it may not have seen */
  #believe(digest: string, principal: Principal, askedAtMs: number): void {
    this.#verified.delete(digest);
    this.#verified.set(digest, {
      principal,
      untilMs: Math.min(principal.expiresAtMs, askedAtMs + BELIEVED_MS),
    });
    this.#tidy(this.#verified, MAX_VERIFIED);
    this.#genuine.delete(digest);
    this.#genuine.set(digest, { untilMs: askedAtMs + GENUINE_MS });
    this.#tidy(this.#genuine, MAX_GENUINE);
  }

  #disbelieve(digest: string, fault: TokenFault): void {
    this.#rejected.delete(digest);
    this.#rejected.set(digest, { fault, untilMs: this.#options.clock.now() + DISBELIEVED_MS });
    this.#tidy(this.#rejected, MAX_REJECTED);
  }

  #tidy(kept: Map<string, { readonly untilMs: number }>, most: number): void {
    const now = this.#options.clock.now();
    for (const [oldest, { untilMs }] of kept) {
      if (kept.size <= most && untilMs > now) break;
      kept.delete(oldest);
    }
  }

  #withScopes(principal: Principal): Admission {
    const missing = this.#options.requiredScopes.filter((scope) => !principal.scopes.includes(scope));
    if (missing.length === 0) return { isAdmitted: true, principal };
    const fault = `The access token lacks the scope ${missing.join(' ')}. Request a token with that scope.`;
    this.#options.onRefused?.({ reason: 'scope', fault });
    return refused({ status: 403, error: 'insufficient_scope', description: fault });
  }

  #refuse(fault: TokenFault, description: string = fault.fault): Admission {
    this.#options.onRefused?.(fault);
    return refused({ status: 401, error: 'invalid_token', description });
  }
}

const UNREADABLE: TokenFault = {
  reason: 'malformed',
  fault: 'The Authorization header must be `Bearer` and an access token.',
};

function unverifiable(error: unknown): Admission {
  if (!(error instanceof SessionError)) throw error;
  return refused({
    status: error.code === 'too_many_requests' ? 429 : 503,
    description: error.message,
    retryAfterSeconds: error.retryAfterSeconds ?? 60,
  });
}
