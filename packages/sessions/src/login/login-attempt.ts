import type { RequestOrigin } from '../access/access.js';
import type { ClientKey } from '../limits/client-key.js';
import type { ProviderFailureReason } from '../session/provider-failure-texts.js';
import type { LoginFailure } from '../session/session-events.js';

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

/** The digests that identify an authorization transaction and the browser that has to complete it. */
export interface TransactionDigests {
  readonly stateDigest: string;
  readonly cookieDigest: string;
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
  /** Whether the login before it is still valid. Absent: no, or not known. */
  readonly keepsLogin?: boolean | undefined;
}

export interface FailedLogin extends LoginFault {
  readonly kind: 'failed';
}
