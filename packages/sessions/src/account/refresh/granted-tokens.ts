import type { GrantNonconformance } from '../../session/session-record.js';
import type { Fence } from '../../time/fence.js';
import type { Secret } from '../../vault/secret.js';
import type { TokenSet } from '../../vault/token-set.js';

/** The user of an account at its provider. */
export interface Identity {
  readonly subject: string;
  readonly name?: string | undefined;
}

/** Keeps the grant of a login in use until a session has the account. */
export interface GrantHold {
  /** The `grantId` of the account. */
  readonly grantId: number;
  /** Ends the hold. Call it before the tokens are revoked, so that of two logins that end, one ends the grant. Never rejects. */
  release(): Promise<void>;
}

/** The verified response of a provider to a login or a refresh. */
export interface GrantedTokens {
  readonly tokens: TokenSet;
  /** When the request was sent. The lifetime counts from then. */
  readonly requestedAtMs: number;
  /** `undefined`: not in the response. */
  readonly expiresInSeconds: number | undefined;
  /** The lifetime of the refresh token. `undefined`: not in the response. */
  readonly refreshExpiresInSeconds?: number | undefined;
  /** `undefined`: the requested ones (RFC 6749 section 5.1). */
  readonly scopes: readonly string[] | undefined;
  /** The scopes that a login requested. */
  readonly requestedScopes?: readonly string[] | undefined;
  /** The claims that an API had demanded, and the login requested. */
  readonly requestedClaims?: string | undefined;
  /** From the ID token or the userinfo endpoint; may be absent after a refresh. */
  readonly identity: Identity | undefined;
  /** The fields of `tokenFields` and `callbackFields` that the response has. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  /** The origin of this user's API, from `apiOriginField`. */
  readonly apiOrigin?: string | undefined;
  /** The `sub` of the ID token, else that of the user info, whatever identifies the user. Absent: there is none. */
  readonly openIdSubject?: string | undefined;
  /** The provider's session (`sid` of the ID token). */
  readonly providerSession?: string | undefined;
  /** The claims of the verified ID token of a login. */
  readonly idTokenClaims?: Readonly<Record<string, unknown>> | undefined;
  /** The part of the response that does not conform, although the tokens are valid. */
  readonly nonconformance?: GrantNonconformance | undefined;
  /** Of a login that can be one of several ones of its user. */
  readonly hold?: GrantHold | undefined;
}

/** The result of a refresh. */
export type RefreshOutcome =
  | { readonly kind: 'granted'; readonly granted: GrantedTokens }
  /** The provider says that the grant has ended (`invalid_grant`). */
  | { readonly kind: 'grant_revoked' }
  | PostponedRefresh
  | LostRefresh
  | UnwantedRefresh;

/** The request was not sent, or not repeated: the account does not need it, or it must not be sent. */
interface UnwantedRefresh {
  readonly kind: 'unwanted';
  /** Whether the response to an earlier request was lost, so that the refresh token may be used up. */
  readonly isAmbiguous?: true;
}

/** The request was sent and its response was lost. The refresh token may be used up. */
export interface LostRefresh {
  readonly kind: 'lost';
  readonly cause: unknown;
  /** The tokens of a response after the deadline, for `RefreshGuard.expectLate`. */
  readonly late?: Promise<TokenSet | undefined>;
}

/** The refresh failed and the refresh token is still valid. If `refused`, an immediate retry fails, too. */
export interface PostponedRefresh {
  readonly kind: 'unavailable' | 'refused';
  /** The delay that the provider or the breaker asks for. */
  readonly retryAfterSeconds: number | undefined;
  readonly cause: unknown;
}

/** Claims the right to send a refresh token. Never rejects. @returns `undefined`: it must not be sent */
export type BeforeSend = () => Promise<Fence | undefined>;

/** What a refresh asks its account. */
export interface RefreshGuard {
  /** Whether the account still needs the refresh. Called before a retry. Never rejects. */
  isWanted(): Promise<boolean>;
  /** Called before each request, when all else is ready. */
  readonly beforeSend: BeforeSend;
  /** Whether another refresh may have sent the refresh token. A request that is lost is not repeated then. */
  readonly isAmbiguous: boolean;
  /** Takes tokens that come after the deadline of a request: revokes them after the refresh, or wipes them. */
  expectLate(tokens: Promise<TokenSet | undefined>): void;
}

/** Refreshes tokens at a provider's token endpoint. Never rejects. A request that was sent is never aborted. */
export type RefreshTokens = (
  provider: string,
  refreshToken: Secret,
  guard: RefreshGuard,
) => Promise<RefreshOutcome>;
