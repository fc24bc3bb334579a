import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import type { LoginGrant } from '../session/grants-in-use.js';
import type { LoginCheck, LoginFailure } from '../session/session-events.js';
import type { SessionSnapshot } from '../session/session-record.js';
import { digestOf } from '../vault/secret-digest.js';
import type { SealedRecord } from '../vault/vault.js';
import type { AuthorizationPurpose, FailedLogin, LoginSource, TransactionDigests } from './login-attempt.js';

declare const attemptKeyBrand: unique symbol;

/** The key of a login attempt: a digest of the id in its link. */
export type AttemptKey = string & { readonly [attemptKeyBrand]: true };

/** The key of the attempt that a link names. */
export function attemptKeyOf(id: string): AttemptKey {
  // Only this function gives the brand.
  return digestOf(id) as AttemptKey;
}

/** An authorization request that a browser was redirected to, and that has no response yet (RFC 6749 section 4.1). */
export interface SealedTransaction extends TransactionDigests {
  readonly purpose: AuthorizationPurpose;
  /** The sealed `AuthorizationChecks`. */
  readonly checks: SealedRecord;
}

/** Sealed tokens that no account has until the session presents the confirmation code. */
export interface UnconfirmedTokens {
  readonly granted: Omit<GrantedTokens, 'tokens' | 'hold'>;
  readonly sealed: SealedRecord;
  readonly codeDigest: string;
  readonly expiresAtMs: number;
  readonly triesLeft: number;
}

/** The device authorization of a login (RFC 8628), and when this server polls for its tokens. */
export interface DeviceLogin {
  readonly userCode: string;
  readonly verificationUri: string;
  /** The sealed device code. */
  readonly code: SealedRecord;
  /** When the codes expire. */
  readonly expiresAtMs: number;
  /** The time between two polls. */
  readonly intervalMs: number;
  /** The number of polls in a row that failed. */
  readonly failures: number;
  /** Whether a poll is in flight. */
  readonly isPolling: boolean;
  /** When the next poll is due. While one is in flight: when that one counts as given up. */
  readonly nextPollAtMs: number;
}

/**
 * A login that a session has started and that has not ended yet. Immutable: a change is a new record with another
 * version. The fields up to `startedAtMs` never change.
 */
export interface PendingAttempt {
  readonly key: AttemptKey;
  /** The id in the link. It gives access to the connect page only. */
  readonly id: string;
  readonly snapshot: SessionSnapshot;
  readonly provider: string;
  /** The scopes of the authorization request. */
  readonly scopes: readonly string[];
  /** JSON of the claims that the authorization request adds (OpenID Connect Core section 5.5). Default: none. */
  readonly claims?: string | undefined;
  /** What the provider asks the user for at a renewal; `any`: what it wants. Absent at any other login. */
  readonly prompt?: 'consent' | 'login' | 'any' | undefined;
  readonly source: LoginSource;
  /** The user or address that the attempt counts for. */
  readonly quotaKey: string;
  readonly check: LoginCheck;
  /** Whether the user enters a code at the provider (device flow). */
  readonly isDevice: boolean;
  readonly startedAtMs: number;
  /** The span of the request that started it (W3C Trace Context). Absent without telemetry. */
  readonly traceparent?: string | undefined;
  /** A random number for each change, as an ETag. */
  readonly version: number;
  /** When the attempt expires, or something is to be done for it before. */
  readonly dueAtMs: number;
  /** When the login expires, unless it waits for its confirmation code then. */
  readonly expiresAtMs: number;
  readonly outcome?: undefined;
  /** The open transaction of the browser that consented last. */
  readonly transaction?: SealedTransaction | undefined;
  /** The digests of the latest transaction, open or not. */
  readonly lastTransaction?: TransactionDigests | undefined;
  /** Whether its tokens are being committed to the session. */
  readonly isCommitting?: true | undefined;
  readonly unconfirmed?: UnconfirmedTokens | undefined;
  /** Absent until the provider has sent the codes. */
  readonly device?: DeviceLogin | undefined;
  /** The grant of the tokens that are unconfirmed or being committed, and its user. */
  readonly grant?: { readonly subject: string; readonly grantId: number } | undefined;
}

/** When a pending attempt expires. A poll that is in flight may bring tokens after the codes have expired. */
export function endsAtMsOf({ unconfirmed, expiresAtMs, device, isCommitting }: PendingAttempt): number {
  if (unconfirmed) return unconfirmed.expiresAtMs;
  if (!device || isCommitting) return expiresAtMs;
  const codeEndsAtMs = device.isPolling
    ? Math.max(device.expiresAtMs, device.nextPollAtMs)
    : device.expiresAtMs;
  return Math.min(expiresAtMs, codeEndsAtMs);
}

/** The grants of pending logins that have tokens already. */
export function loginGrantsOf(attempts: readonly PendingAttempt[]): LoginGrant[] {
  return attempts.flatMap(({ snapshot, provider, grant }) =>
    grant ? [{ snapshot, provider, ...grant }] : [],
  );
}

/** A login that has failed, for its browser and for the next call of its client. Contains digests only. */
export interface EndedAttempt {
  readonly key: AttemptKey;
  readonly version: number;
  readonly snapshot: SessionSnapshot;
  readonly provider: string;
  readonly lastTransaction?: TransactionDigests | undefined;
  readonly outcome: FailedLogin;
  /** Whether the client knows of the failure, or caused it itself. */
  readonly isReported: boolean;
}

/** A login that is pending or has failed. One that is complete has no record. */
export type LoginAttempt = PendingAttempt | EndedAttempt;

/** Failures that the client does not cause itself, so that its next call reports them. */
const REPORTED: ReadonlySet<LoginFailure> = new Set([
  'declined',
  'expired',
  'evicted',
  'browser_mismatch',
  'identity_mismatch',
  'provider_unavailable',
  'provider_refused',
  'internal_error',
]);

/** The record of an attempt that has failed. @param version of the change that ends it */
export function endedAttempt(attempt: PendingAttempt, outcome: FailedLogin, version: number): EndedAttempt {
  const { key, snapshot, provider, lastTransaction } = attempt;
  const isReported = !REPORTED.has(outcome.failure);
  return {
    key,
    version,
    snapshot,
    provider,
    outcome,
    isReported,
    ...(lastTransaction && { lastTransaction }),
  };
}
