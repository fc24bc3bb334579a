import type { GrantNonconformance } from '../../session/session-record.js';
import type { Secret } from '../../vault/secret.js';
import type { TokenSet } from '../../vault/token-set.js';

/** Who an account belongs to at its provider. */
export interface Identity {
  readonly subject: string;
  readonly name?: string | undefined;
}

/** What a provider answered to a login or a refresh, checked and parsed. */
export interface GrantedTokens {
  readonly tokens: TokenSet;
  /** When the request that asked for them was sent: their lifetime counts from there. */
  readonly requestedAtMs: number;
  /** `undefined`: the provider did not say. */
  readonly expiresInSeconds: number | undefined;
  /** `undefined`: those that were asked for (RFC 6749 section 5.1). */
  readonly scopes: readonly string[] | undefined;
  /** From the ID token or the userinfo endpoint; a refresh may come without. */
  readonly identity: Identity | undefined;
  /** What the ID token says that came with a login, once it is checked. */
  readonly idTokenClaims?: Readonly<Record<string, unknown>> | undefined;
  /** What is wrong with the answer, although its tokens are good. */
  readonly nonconformance?: GrantNonconformance | undefined;
}

/** How a refresh ended. */
export type RefreshOutcome =
  | { readonly kind: 'granted'; readonly granted: GrantedTokens }
  /** The provider says that the grant is dead (`invalid_grant`). */
  | { readonly kind: 'grant_revoked' }
  | PostponedRefresh
  | LostRefresh
  /** Nobody wants it any more, and it was not sent again. */
  | { readonly kind: 'unwanted' };

/** It was sent, and the answer was lost: the refresh token may have been used up. */
export interface LostRefresh {
  readonly kind: 'lost';
  readonly cause: unknown;
  /** What still came when nobody waited any more; whoever takes it has to revoke or wipe it. */
  readonly late?: Promise<TokenSet | undefined>;
}

/** It was not done, and the refresh token is as good as before. If `refused`, trying again at once is no use. */
export interface PostponedRefresh {
  readonly kind: 'unavailable' | 'refused';
  /** What the provider asked for, or the breaker. */
  readonly retryAfterSeconds: number | undefined;
  readonly cause: unknown;
}

/**
 * The port to a provider's token endpoint. Never rejects. A refresh that was sent is never aborted.
 * @param isWanted asked before it is sent again: whether what it would bring still has a place
 */
export type RefreshTokens = (
  provider: string,
  refreshToken: Secret,
  isWanted: () => Promise<boolean>,
) => Promise<RefreshOutcome>;
