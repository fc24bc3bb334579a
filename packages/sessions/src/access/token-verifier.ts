import type { errors } from 'jose';
import pLimit from 'p-limit';
import { SessionError } from '../errors.js';
import type { Clock } from '../time/clock.js';
import { secretBytes } from '../vault/memory.js';
import { issuerKeys } from './issuer-keys.js';
import { type ClaimsSource, type ReadClaims, readClaims, type TokenExpectations } from './token-claims.js';
import { type TokenFault, tokenFault } from './token-fault.js';
import { statedTypeFault } from './token-type.js';

/** The authorization server that issues the access tokens of clients. */
interface TokenIssuer {
  /** Requests its public keys (RFC 7517). @throws SessionError `provider_unavailable`, `provider_refused` */
  requestKeys(): Promise<object>;
  /** Introspects a token (RFC 7662). Absent without credentials for introspection. @throws as `requestKeys` */
  readonly introspect?: ((token: string) => Promise<unknown>) | undefined;
}

export interface TokenVerifierOptions {
  readonly tokenIssuer: TokenIssuer;
  readonly expectations: () => TokenExpectations;
  readonly clock: Clock;
  /** Milliseconds since the epoch, in whose seconds tokens give times. Default: `Date.now`. */
  readonly wallClock?: () => number;
}

/** Asymmetric signatures only. */
export const SIGNATURE_ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];
/** Introspection requests in flight. */
const MAX_INTROSPECTIONS = 50;
/** Tokens that wait for introspection, including those in flight. */
const MAX_WAITING = 1000;

/** Verifies that a token was issued for this server: a JWT by its signature, any other by introspection. */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #introspections = pLimit(MAX_INTROSPECTIONS);
  readonly #issuerKeys: ReturnType<typeof issuerKeys>;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
    this.#issuerKeys = issuerKeys(() => options.tokenIssuer.requestKeys());
  }

  /** Whether a token needs no introspection: it is a JWT, or introspection is not configured. */
  isSelfContained(token: string): boolean {
    return isJwt(token) || !this.#options.tokenIssuer.introspect;
  }

  /** @throws SessionError `provider_unavailable`, `provider_refused` if keys or introspection are not available */
  async verify(token: string): Promise<ReadClaims> {
    return isJwt(token) ? this.#verifyJwt(token) : this.#introspect(token);
  }

  /** Verifies a JWT and reads its claims. */
  async #verifyJwt(token: string): Promise<ReadClaims> {
    const { jose, keys } = await this.#issuerKeys();
    try {
      const { payload, protectedHeader } = await jose.compactVerify(token, keys, {
        algorithms: [...SIGNATURE_ALGORITHMS],
      });
      // RFC 7797 section 7: a JWT's payload is always encoded.
      const claims = protectedHeader.b64 === false ? undefined : jsonObjectIn(payload);
      if (claims === undefined) return MALFORMED;
      return statedTypeFault('typ', protectedHeader.typ) ?? this.#read(claims, 'jwt');
    } catch (error) {
      const fault = this.#faultIn(error, jose.errors);
      if (fault) return fault;
      throw unavailable(error);
    }
  }

  /** Introspects a token at the authorization server (RFC 7662). */
  async #introspect(token: string): Promise<ReadClaims> {
    const { introspect } = this.#options.tokenIssuer;
    if (!introspect) return OPAQUE;
    if (this.#introspections.activeCount + this.#introspections.pendingCount >= MAX_WAITING)
      throw tooManyWaiting();
    const answer = await this.#introspections(() => introspect(token));
    const isActive = typeof answer === 'object' && answer !== null && 'active' in answer && answer.active;
    return isActive === true ? this.#read(answer, 'introspection') : NOT_ACTIVE;
  }

  #read(claims: unknown, source: ClaimsSource): ReadClaims {
    const { clock, expectations, wallClock = Date.now } = this.#options;
    return readClaims(claims, source, expectations(), { ms: clock.now(), epochSeconds: wallClock() / 1000 });
  }

  /** The fault of the token that an error shows; `undefined` if the keys could not be fetched. */
  #faultIn(error: unknown, jose: typeof errors): TokenFault | undefined {
    const { issuer } = this.#options.expectations();
    if (error instanceof jose.JOSEAlgNotAllowed || error instanceof jose.JOSENotSupported) return ALGORITHM;
    if (error instanceof jose.JWKSMultipleMatchingKeys) {
      return tokenFault('unknown_key', `It does not name its key (kid), and ${issuer} publishes several.`);
    }
    if (error instanceof jose.JWKSNoMatchingKey) {
      return tokenFault(
        'unknown_key',
        `It is not signed with a key that ${issuer} publishes. Get a new one there.`,
      );
    }
    if (error instanceof jose.JWSSignatureVerificationFailed) {
      return tokenFault('signature', `Its signature does not match a key of ${issuer}. Get a new one there.`);
    }
    return error instanceof jose.JWSInvalid ? MALFORMED : undefined;
  }
}

/** The header of a JWT in base64url, whose length is never one more than a multiple of four. */
const HEADER = /^(?:[\w-]{4})*(?:[\w-]{2,3})?$/;

/** Whether a token is a JWT (RFC 7519), as jose decides it. */
function isJwt(token: string): boolean {
  const [header = '', ...others] = token.split('.');
  if (others.length !== 2 || !HEADER.test(header)) return false;
  return jsonObjectIn(secretBytes(header, 'base64url'))?.alg !== undefined;
}

/** The header or the claims of a JWT; `undefined` if they are not a JSON object (RFC 7519 section 7.2). */
function jsonObjectIn(json: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

const MALFORMED = tokenFault('malformed', 'It is not a well-formed JWT. Get a new one.');
const ALGORITHM = tokenFault(
  'algorithm',
  `The algorithm of its signature, or an extension that it depends on, is not accepted. Accepted algorithms are ${SIGNATURE_ALGORITHMS.join(', ')}.`,
);
const OPAQUE = tokenFault(
  'opaque',
  'It is not a JWT, and introspection is not configured on this server. Ask its operator to configure it.',
);
const NOT_ACTIVE = tokenFault(
  'not_active',
  'The authorization server answered that it is not active: it has expired, was revoked, or is not one of its tokens. Get a new one.',
);

function unavailable(cause: unknown): SessionError {
  if (cause instanceof SessionError) return cause;
  return new SessionError(
    'provider_unavailable',
    'The keys of the authorization server are not available now. Try again in a minute.',
    { cause, retryAfterSeconds: 60 },
  );
}

function tooManyWaiting(): SessionError {
  const message = 'Too many access tokens are being introspected. Try again in a moment.';
  return new SessionError('limit_reached', message, { retryAfterSeconds: 1 });
}
