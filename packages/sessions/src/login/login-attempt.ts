import type { RequestOrigin } from '../access/access.js';
import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import type { ClientKey } from '../limits/client-key.js';
import type { AuthorizationChecks } from '../provider/authorization-request.js';
import type { ProviderFailureReason } from '../session/provider-failure-texts.js';
import type { LoginCheck, LoginFailure } from '../session/session-events.js';
import type { SessionSnapshot } from '../session/session-record.js';
import type { SealedRecord } from '../vault/vault.js';
import type { DevicePoller } from './device/device-poller.js';

/** The user who started a login, as the access token of the request names them. */
export interface Initiator {
  readonly issuer: string;
  readonly subject: string;
}

/** The source of the request that started a login. */
export interface LoginSource {
  /** The client's self-reported name, shown on the connect page. */
  readonly clientName: string | undefined;
  readonly origin: RequestOrigin;
  /** Absent in open access. */
  readonly initiator: Initiator | undefined;
  /** The key of the client's address in limits; absent for requests over loopback and unknown addresses. */
  readonly clientKey: ClientKey | undefined;
}

/** The key that a login counts for in quotas: the initiator or, in open access, the client's address. */
export function quotaKeyOf({ initiator, clientKey }: Pick<LoginSource, 'initiator' | 'clientKey'>): string {
  return initiator ? JSON.stringify([initiator.issuer, initiator.subject]) : (clientKey ?? '');
}

/** The purpose of an authorization request: to identify the browser's user at `access.signIn`, or to obtain tokens. */
export type AuthorizationPurpose = 'sign-in' | 'login';

/** An authorization request that a browser was redirected to, and that has no response yet (RFC 6749 section 4.1). */
export interface AuthorizationTransaction extends TransactionDigests {
  readonly purpose: AuthorizationPurpose;
  readonly checks: AuthorizationChecks;
}

/** The digests that identify an authorization transaction and the browser that has to complete it. */
export interface TransactionDigests {
  readonly stateDigest: string;
  readonly cookieDigest: string;
}

/** Sealed tokens that no account has until the session presents the confirmation code. */
export interface UnconfirmedGrant {
  readonly granted: Omit<GrantedTokens, 'tokens'>;
  readonly sealed: SealedRecord;
  readonly codeDigest: string;
  readonly expiresAtMs: number;
  triesLeft: number;
}

/** The result of a login attempt. */
export type LoginOutcome = { readonly kind: 'authenticated' } | FailedLogin;

/** Why a login failed, for its browser and its client. */
export interface LoginFault {
  readonly failure: LoginFailure;
  /** Absent unless the provider failed. */
  readonly reason?: ProviderFailureReason | undefined;
  /** The error code of RFC 6749, which the provider may have made up. */
  readonly oauthError?: string | undefined;
}

export interface FailedLogin extends LoginFault {
  readonly kind: 'failed';
}

/** A login that a session has started and that has not ended yet. */
export interface LoginAttempt {
  /** The id in the link. It gives access to the connect page only. */
  readonly id: string;
  readonly snapshot: SessionSnapshot;
  readonly provider: string;
  /** The scopes of the authorization request. */
  readonly scopes: readonly string[];
  /** JSON of the claims that the authorization request adds (OpenID Connect Core section 5.5). Default: none. */
  readonly claims?: string | undefined;
  /** What the provider asks the user for at a renewal. Absent at any other login. */
  readonly prompt?: 'consent' | 'login' | undefined;
  readonly source: LoginSource;
  readonly check: LoginCheck;
  readonly startedAtMs: number;
  readonly expiresAtMs: number;
  /** Absent unless the device flow is used. */
  devicePoller: DevicePoller | undefined;
  /** The open transaction of the browser that consented last. */
  transaction: AuthorizationTransaction | undefined;
  /** The digests of the latest transaction, open or not. */
  lastTransaction: TransactionDigests | undefined;
  unconfirmed: UnconfirmedGrant | undefined;
  outcome: LoginOutcome | undefined;
}

/** Wipes the secrets of an authorization request. */
export function wipeChecks({ state, nonce, codeVerifier }: AuthorizationChecks): void {
  for (const secret of [state, nonce, codeVerifier]) secret.wipe();
}

/** The result of an attempt that has ended otherwise than its caller expected. */
export function endedAs(outcome: LoginOutcome | undefined): FailedLogin {
  return outcome?.kind === 'failed' ? outcome : { kind: 'failed', failure: 'superseded' };
}
