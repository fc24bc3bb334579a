import { createHash } from 'node:crypto';
import { SessionError } from '../errors.js';
import type { ClientKey } from '../limits/client-key.js';
import { ExpiringMap } from '../limits/expiring-map.js';
import type { RateLimiter } from '../limits/rate-limiter.js';
import type { Clock } from '../time/clock.js';
import { type Access, type AccessRequest, type Admission, type Principal, refused } from './access.js';
import type { ReadClaims } from './token-claims.js';
import { type TokenFault, tokenFault } from './token-fault.js';
import { VerificationQueue } from './verification-queue.js';

export interface BearerAdmissionOptions {
  /**
   * Returns the metadata of the authorization server (RFC 8414).
   * @throws SessionError if it cannot be discovered
   */
  readonly issuerMetadata: () => Promise<Record<string, unknown>>;
  /** Verifies a token and reads its claims. @throws SessionError if that is not possible now */
  readonly verify: (token: string) => Promise<ReadClaims>;
  /** Whether a token can be verified without introspection. Default: no token can. */
  readonly isSelfContained?: (token: string) => boolean;
  readonly requiredScopes: readonly string[];
  /** How many invalid tokens are accepted for each client key. */
  readonly refusedTokens: RateLimiter;
  readonly clock: Clock;
  /** Called for every refused token. */
  readonly onRefused?: (fault: TokenFault) => void;
}

/** How long a verified token is accepted without another verification, unless it expires before. */
const VERIFIED_TTL_MS = 60_000;
const MAX_VERIFIED = 10_000;
/** How long a rejected token is refused without another verification. */
const REJECTED_TTL_MS = 10_000;
const MAX_REJECTED = 10_000;
/** How long a token that was valid once is verified without a place in the queue. */
const ONCE_VALID_TTL_MS = 24 * 60 * 60 * 1000;
const MAX_ONCE_VALID = 10_000;
const MAX_TOKEN_CHARACTERS = 8192;

/** RFC 6750 section 2.1. */
const BEARER_PATTERN = /^Bearer +([\w.~+/-]+=*)$/i;

/** Admits requests that have an access token of the authorization server (RFC 6750). */
export class BearerAccess implements Access {
  readonly #options: BearerAdmissionOptions;
  readonly #queue: VerificationQueue;
  /** By digest, which is no credential, as all of these maps. */
  readonly #verified: ExpiringMap<string, Principal>;
  readonly #verifying = new Map<string, Promise<ReadClaims>>();
  readonly #rejected: ExpiringMap<string, TokenFault>;
  readonly #onceValid: ExpiringMap<string, true>;

  constructor(options: BearerAdmissionOptions) {
    this.#options = options;
    this.#queue = new VerificationQueue(options.refusedTokens);
    const { clock } = options;
    this.#verified = new ExpiringMap({ clock, maxEntries: MAX_VERIFIED, ttlMs: VERIFIED_TTL_MS });
    this.#rejected = new ExpiringMap({ clock, maxEntries: MAX_REJECTED, ttlMs: REJECTED_TTL_MS });
    this.#onceValid = new ExpiringMap({ clock, maxEntries: MAX_ONCE_VALID, ttlMs: ONCE_VALID_TTL_MS });
  }

  issuerMetadata(): Promise<Record<string, unknown>> {
    return this.#options.issuerMetadata();
  }

  async admit({ authorization, clientKey }: AccessRequest): Promise<Admission> {
    if (authorization === null) {
      return refused({
        status: 401,
        description: 'Send an access token. `resource_metadata` names the server that issues one.',
      });
    }
    const token = BEARER_PATTERN.exec(authorization)?.[1];
    if (token === undefined || token.length > MAX_TOKEN_CHARACTERS) {
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
    // The client did not guess a token that was valid once, even if the token has expired or was revoked since.
    if (this.#onceValid.get(digest)) return this.#verify(token, digest);
    // Other invalid tokens of the same client key never cause the refusal of a self-contained token.
    if (this.#options.isSelfContained?.(token))
      return this.#queue.countIfInvalid(clientKey, await this.#verify(token, digest));
    return this.#queue.verify(clientKey, () => this.#known(digest) ?? this.#verify(token, digest));
  }

  /** The result of an earlier verification, or of the one in flight. */
  #known(digest: string): ReadClaims | Promise<ReadClaims> | undefined {
    const principal = this.#verified.get(digest);
    if (principal) return { principal };
    return this.#rejected.get(digest) ?? this.#verifying.get(digest);
  }

  #verify(token: string, digest: string): Promise<ReadClaims> {
    const now = this.#options.clock.now();
    const verifying = this.#options
      .verify(token)
      .then((read) => {
        if ('principal' in read) this.#rememberVerified(digest, read.principal, now);
        else this.#rejected.set(digest, read);
        return read;
      })
      .finally(() => this.#verifying.delete(digest));
    this.#verifying.set(digest, verifying);
    return verifying;
  }

  /** @param askedAtMs when the verification began; it does not reflect later changes */
  #rememberVerified(digest: string, principal: Principal, askedAtMs: number): void {
    this.#verified.set(digest, principal, Math.min(principal.expiresAtMs, askedAtMs + VERIFIED_TTL_MS));
    this.#onceValid.set(digest, true, askedAtMs + ONCE_VALID_TTL_MS);
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

const UNREADABLE = tokenFault('malformed', 'The Authorization header must be `Bearer` and an access token.');

function unverifiable(error: unknown): Admission {
  if (!(error instanceof SessionError)) throw error;
  return refused({
    status: error.code === 'too_many_requests' ? 429 : 503,
    description: error.message,
    retryAfterSeconds: error.retryAfterSeconds ?? 60,
  });
}
