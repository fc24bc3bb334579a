import type { RequestOrigin } from '../access/access.js';
import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import type { ClientKey } from '../limits/client-key.js';
import type { AuthorizationChecks } from '../provider/provider.js';
import type { LoginCheck, LoginFailure } from '../session/session-events.js';
import type { SessionSnapshot } from '../session/session-record.js';
import type { SealedRecord } from '../vault/vault.js';
import type { DeviceLogin } from './device/device-login.js';

/** Whom the bearer token of the request named that started a login. */
export interface Initiator {
  readonly issuer: string;
  readonly subject: string;
}

/** Where a login was started from. */
export interface LoginOrigin {
  /** The client's own name for itself, shown on the connect page as a claim. */
  readonly clientName: string | undefined;
  readonly origin: RequestOrigin;
  /** Absent in open access. */
  readonly initiator: Initiator | undefined;
  /** The address that it counts for; absent for this machine's, and where it is not known. */
  readonly clientKey: ClientKey | undefined;
}

/** Whose a login is as far as fairness goes: a user's or, where nobody says who they are, an address's. */
export function quotaKeyOf({ initiator, clientKey }: Pick<LoginOrigin, 'initiator' | 'clientKey'>): string {
  return initiator ? JSON.stringify([initiator.issuer, initiator.subject]) : (clientKey ?? '');
}

/** A browser that was sent away. */
export interface AuthorizationTransaction {
  /** To show who its user is, or to log in at the provider. */
  readonly purpose: 'sign-in' | 'login';
  readonly checks: AuthorizationChecks;
  readonly stateDigest: string;
  readonly cookieDigest: string;
}

/** Tokens that wait for the confirmation code; sealed, and of no use until then. */
export interface UnconfirmedGrant {
  readonly granted: Omit<GrantedTokens, 'tokens'>;
  readonly sealed: SealedRecord;
  readonly codeDigest: string;
  readonly expiresAtMs: number;
  triesLeft: number;
}

/** How an attempt ended. */
export type LoginOutcome = { readonly kind: 'authenticated' } | FailedLogin;

export interface FailedLogin {
  readonly kind: 'failed';
  readonly failure: LoginFailure;
}

/** A started login. Its owner is the session that started it. */
export interface LoginAttempt {
  /** In the link. It lets a browser see the connect page, and nothing more. */
  readonly id: string;
  readonly snapshot: SessionSnapshot;
  readonly provider: string;
  readonly origin: LoginOrigin;
  readonly check: LoginCheck;
  readonly startedAtMs: number;
  readonly expiresAtMs: number;
  /** What polls for it in the device flow; absent where a browser follows the link. */
  device: DeviceLogin | undefined;
  /** The latest browser to have consented. */
  trip: AuthorizationTransaction | undefined;
  /** What the latest browser to have consented is known by, also when its trip is over. */
  lastTrip: Pick<AuthorizationTransaction, 'stateDigest' | 'cookieDigest'> | undefined;
  inert: UnconfirmedGrant | undefined;
  outcome: LoginOutcome | undefined;
}

/** Wipes what a browser's return was to be checked against. */
export function wipeChecks({ state, nonce, codeVerifier }: AuthorizationChecks): void {
  for (const secret of [state, nonce, codeVerifier]) secret.wipe();
}
