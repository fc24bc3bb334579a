import { createHash } from 'node:crypto';
import type { decodeJwt, errors } from 'jose';
import { SessionError } from '../errors.js';
import type { OneTimeStore } from '../limits/one-time-store.js';
import type { LogoutTokenFault } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import type { MaybePromise } from '../time/promises.js';
import { issuerKeys } from './issuer-keys.js';
import { SIGNATURE_ALGORITHMS } from './token-verifier.js';

/** The provider that issues the logout tokens. */
interface LogoutTokenIssuer {
  readonly issuer: string;
  /** Whether it publishes keys. Without them, its tokens cannot be verified. */
  readonly hasKeys: boolean;
}

export interface LogoutTokenVerifierOptions {
  /** @throws SessionError `provider_unavailable`, `provider_refused` */
  readonly issuer: () => Promise<LogoutTokenIssuer>;
  /** This server's client id at the provider. */
  readonly clientId: string;
  /** By how much the provider's clock may differ. */
  readonly toleranceSeconds: number;
  readonly clock: Clock;
  /** Remembers the tokens that were used. */
  readonly oneTime: OneTimeStore;
  /** Requests its public keys (RFC 7517). @throws as `issuer` */
  readonly requestKeys: () => Promise<object>;
  /** Milliseconds since the epoch, in whose seconds tokens give times. Default: `Date.now`. */
  readonly wallClock?: () => number;
}

/** Who has logged out at the provider. At least one of both is present. */
export interface ProviderLogout {
  readonly subject?: string;
  /** The provider's session (`sid`). Absent: all sessions of the user. */
  readonly session?: string;
}

/** A verified logout token, or why it is refused. */
export type VerifiedLogout =
  | {
      readonly logout: ProviderLogout;
      /** Lets the provider send the token again, because the logout could not be carried out. */
      readonly release: () => MaybePromise<void>;
    }
  | { readonly fault: LogoutTokenFault };

/** How long a token is accepted after it was issued, whatever its `exp`. */
const MAX_AGE_SECONDS = 600;
const MAX_TOKEN_CHARACTERS = 8192;
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const TOKEN_TYPE = /^(application\/)?(logout\+)?jwt$/i;

/** Verifies the logout tokens of one provider (OpenID Connect Back-Channel Logout section 2.6), each once. */
export class LogoutTokenVerifier {
  readonly #options: LogoutTokenVerifierOptions;
  readonly #issuerKeys: ReturnType<typeof issuerKeys>;

  constructor(options: LogoutTokenVerifierOptions) {
    this.#options = options;
    this.#issuerKeys = issuerKeys(options.requestKeys);
  }

  /**
   * Verifies a token. Its claims are checked before its signature, so that a stranger cannot cause a request for keys
   * without a token that fits.
   * @throws SessionError `provider_unavailable`, `provider_refused` if metadata or keys are not available,
   *   `store_unavailable`
   */
  async verify(token: string): Promise<VerifiedLogout> {
    if (token.length > MAX_TOKEN_CHARACTERS) return { fault: 'malformed' };
    const { jose } = await this.#issuerKeys();
    const claims = claimsIn(token, jose.decodeJwt);
    if (!claims) return { fault: 'malformed' };
    const { clientId, issuer } = this.#options;
    if (![claims.aud].flat().includes(clientId)) return { fault: 'audience' };
    const known = await issuer();
    if (claims.iss !== known.issuer) return { fault: 'issuer' };
    const logout = logoutIn(claims);
    if (!logout) return { fault: 'claims' };
    const fault = known.hasKeys ? await this.#signatureFault(token) : 'signature';
    return fault ? { fault } : this.#takeOnce(known.issuer, String(claims.jti), logout);
  }

  /** Verifies the signature, the times and the type. The claims are those that were decoded before. */
  async #signatureFault(token: string): Promise<LogoutTokenFault | undefined> {
    const { toleranceSeconds, wallClock = Date.now } = this.#options;
    const { jose, keys } = await this.#issuerKeys();
    try {
      const { protectedHeader } = await jose.jwtVerify(token, keys, {
        algorithms: [...SIGNATURE_ALGORITHMS],
        clockTolerance: toleranceSeconds,
        currentDate: new Date(wallClock()),
        maxTokenAge: MAX_AGE_SECONDS,
      });
      return TOKEN_TYPE.test(protectedHeader.typ ?? 'JWT') ? undefined : 'claims';
    } catch (error) {
      const fault = faultOf(error, jose.errors);
      if (fault) return fault;
      throw keysFailed(error);
    }
  }

  /** Remembers a token until it would be refused because of its age. */
  async #takeOnce(issuer: string, jti: string, logout: ProviderLogout): Promise<VerifiedLogout> {
    const { clock, oneTime, toleranceSeconds } = this.#options;
    const used = { issuer, name: createHash('sha256').update(jti).digest('base64url') };
    const untilMs = clock.now() + (MAX_AGE_SECONDS + 2 * toleranceSeconds) * 1000;
    try {
      if (!(await oneTime.use(used, untilMs))) return { fault: 'replayed' };
    } catch (error) {
      // It may count as used, and the provider sends it again.
      await Promise.resolve(oneTime.release(used)).catch(() => undefined);
      throw error;
    }
    return { logout, release: () => oneTime.release(used) };
  }
}

type Claims = Readonly<Record<string, unknown>>;

function claimsIn(token: string, decode: typeof decodeJwt): Claims | undefined {
  try {
    return decode(token);
  } catch {
    return undefined;
  }
}

/** What the claims of a logout token name; `undefined` if they are not those of a logout token (section 2.4). */
function logoutIn({ sub, sid, jti, nonce, events }: Claims): ProviderLogout | undefined {
  const isLogout = isObject(events) && Object.hasOwn(events, LOGOUT_EVENT) && isObject(events[LOGOUT_EVENT]);
  // A token with a nonce could be an ID token.
  if (!isLogout || nonce !== undefined || typeof jti !== 'string' || jti === '') return undefined;
  if (!isNameOrAbsent(sub) || !isNameOrAbsent(sid) || (sub === undefined && sid === undefined))
    return undefined;
  return { ...(sub !== undefined && { subject: sub }), ...(sid !== undefined && { session: sid }) };
}

function isObject(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNameOrAbsent(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && value !== '');
}

function keysFailed(cause: unknown): SessionError {
  if (cause instanceof SessionError) return cause;
  const message = 'The keys of the identity provider are not available now.';
  return new SessionError('provider_unavailable', message, { cause, retryAfterSeconds: 60 });
}

/** The fault of the token that an error shows; `undefined` if the keys could not be fetched. */
function faultOf(error: unknown, jose: typeof errors): LogoutTokenFault | undefined {
  if (error instanceof jose.JWTExpired) return 'expired';
  if (error instanceof jose.JWTClaimValidationFailed) return 'claims';
  if (error instanceof jose.JWTInvalid || error instanceof jose.JWSInvalid) return 'malformed';
  // The algorithm or the key does not fit, or the signature is not valid.
  const rejected = [
    jose.JOSEAlgNotAllowed,
    jose.JOSENotSupported,
    jose.JWKSNoMatchingKey,
    jose.JWKSMultipleMatchingKeys,
    jose.JWSSignatureVerificationFailed,
  ];
  return rejected.some((each) => error instanceof each) ? 'signature' : undefined;
}
