import {
  createRemoteJWKSet,
  customFetch,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import pLimit from 'p-limit';
import { SessionError } from '../errors.js';
import type { Clock } from '../time/clock.js';
import {
  CLOCK_TOLERANCE_SECONDS,
  type ReadClaims,
  readClaims,
  type TokenExpectations,
} from './token-claims.js';

/** The port to the authorization server whose tokens let clients in. */
interface TokenIssuer {
  /** Where its public keys are. @throws SessionError `provider_unavailable`, `provider_refused` */
  jwksUri(): Promise<URL>;
  /** What it says of a token (RFC 7662). Absent: this server may not ask. @throws as `jwksUri` */
  readonly introspect?: ((token: string) => Promise<unknown>) | undefined;
}

export interface TokenVerifierOptions {
  readonly tokenIssuer: TokenIssuer;
  readonly expectations: () => TokenExpectations;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Milliseconds since the epoch: what tokens say of their time is in seconds of it. Default: `Date.now`. */
  readonly wallClock?: () => number;
}

/** Signatures only, and none that is made with a secret. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** What an access token may call itself (RFC 9068 section 2.1); many still call it what it is in general, or nothing. */
const ACCESS_TOKEN_TYPES = new Set(['at+jwt', 'application/at+jwt', 'jwt']);
/** How many tokens are asked about at the same time, */
const MOST_AT_ONCE = 50;
/** and how many may wait for that, those included. */
const MOST_WAITING = 1000;

/** Finds out whether a token is genuine and meant for this server: JWTs by their signature, others by asking. */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #inTurn = pLimit(MOST_AT_ONCE);
  #keys: Promise<JWTVerifyGetKey> | undefined;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /** @throws SessionError `provider_unavailable`, `provider_refused` when that cannot be found out */
  async verify(token: string): Promise<ReadClaims> {
    const claims = isJwt(token) ? await this.#claimsOfJwt(token) : await this.#introspect(token);
    if (claims === undefined) return { fault: 'It is not valid here, or not any more.' };
    const now = { ms: this.#options.clock.now(), epochSeconds: this.#wallMs() / 1000 };
    return readClaims(claims, this.#options.expectations(), now);
  }

  /** The claims of a JWT that the issuer has signed for this server; `undefined` if it is none. */
  async #claimsOfJwt(token: string): Promise<unknown> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, await this.#keySet(), {
        algorithms: ALGORITHMS,
        // What they say is read with those of other tokens.
        requiredClaims: ['iss', 'aud', 'exp'],
        clockTolerance: `${CLOCK_TOLERANCE_SECONDS} s`,
        currentDate: new Date(this.#wallMs()),
      });
      return isAccessToken(protectedHeader.typ, payload) ? payload : undefined;
    } catch (error) {
      if (isFaultOfToken(error)) return undefined;
      throw unavailable(error);
    }
  }

  async #introspect(token: string): Promise<unknown> {
    const { introspect } = this.#options.tokenIssuer;
    if (!introspect) return undefined;
    if (this.#inTurn.activeCount + this.#inTurn.pendingCount >= MOST_WAITING) throw tooMany();
    const answer = await this.#inTurn(() => introspect(token));
    const isActive = typeof answer === 'object' && answer !== null && 'active' in answer && answer.active;
    return isActive === true ? answer : undefined;
  }

  #wallMs(): number {
    return (this.#options.wallClock ?? Date.now)();
  }

  async #keySet(): Promise<JWTVerifyGetKey> {
    const { tokenIssuer, fetch } = this.#options;
    this.#keys ??= tokenIssuer.jwksUri().then((uri) => createRemoteJWKSet(uri, { [customFetch]: fetch }));
    try {
      return await this.#keys;
    } catch (error) {
      this.#keys = undefined;
      throw error;
    }
  }
}

/** Whether a token is a JWT (RFC 7519), and not just in three parts. */
function isJwt(token: string): boolean {
  try {
    return token.split('.').length === 3 && decodeProtectedHeader(token).alg !== undefined;
  } catch {
    return false;
  }
}

/** Whether a JWT is meant for resource servers, and not for clients, as an ID token is, or for something else. */
function isAccessToken(type = 'jwt', { at_hash, c_hash, typ }: JWTPayload): boolean {
  const isIdToken = at_hash !== undefined || c_hash !== undefined || typ === 'ID';
  return ACCESS_TOKEN_TYPES.has(type.toLowerCase()) && !isIdToken;
}

/** Errors that say something of the token, and not of how its keys were to be had. */
function isFaultOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  );
}

function unavailable(cause: unknown): SessionError {
  if (cause instanceof SessionError) return cause;
  return new SessionError(
    'provider_unavailable',
    'The authorization server cannot be asked for its keys now. Try again in a minute.',
    { cause, retryAfterSeconds: 60 },
  );
}

function tooMany(): SessionError {
  const message = 'Too many access tokens are being asked about. Try again in a moment.';
  return new SessionError('limit_reached', message, { retryAfterSeconds: 1 });
}
