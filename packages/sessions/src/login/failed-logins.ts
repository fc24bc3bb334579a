import { ExpiringMap } from '../limits/expiring-map.js';
import type { SessionRef } from '../session/ids.js';
import type { LoginFailure } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { digestOf, isSameDigest } from '../vault/secret-digest.js';
import type { LoginAttempt, LoginFault, TransactionDigests } from './login-attempt.js';

/** The default lifetime of a login. */
export const FAILED_LOGIN_KEPT_MS: number = 10 * 60 * 1000;
const MAX_FAILED_LOGINS = 4096;

/** Failures that the client does not cause itself, so that its next call reports them. */
const REPORTED: ReadonlySet<LoginFailure> = new Set([
  'declined',
  'evicted',
  'browser_mismatch',
  'identity_mismatch',
  'provider_unavailable',
  'provider_refused',
  'internal_error',
]);

interface FailedLoginEntry {
  readonly fault: LoginFault;
  /** Identifies the browser that consented last; absent if no browser did. */
  readonly transaction: TransactionDigests | undefined;
}

/**
 * Keeps the reasons of failed logins: for ten minutes for the browser, and until its next call for the client. Entries
 * for browsers contain digests only.
 */
export class FailedLogins {
  readonly #byLink: ExpiringMap<string, FailedLoginEntry>;
  /** The digest of the link by the digest of the `state`. */
  readonly #linkByState = new Map<string, string>();
  /** By session and provider. */
  readonly #unreported = new Map<SessionRef, Map<string, LoginFault>>();

  constructor(clock: Clock) {
    this.#byLink = new ExpiringMap({
      clock,
      maxEntries: MAX_FAILED_LOGINS,
      ttlMs: FAILED_LOGIN_KEPT_MS,
      onEvicted: ({ transaction }) => {
        if (transaction) this.#linkByState.delete(transaction.stateDigest);
      },
    });
  }

  add(
    {
      id,
      lastTransaction,
      snapshot,
      provider,
    }: Pick<LoginAttempt, 'id' | 'lastTransaction' | 'snapshot' | 'provider'>,
    fault: LoginFault,
  ): void {
    const link = digestOf(id);
    this.#byLink.set(link, { fault, transaction: lastTransaction });
    if (lastTransaction) this.#linkByState.set(lastTransaction.stateDigest, link);
    if (!REPORTED.has(fault.failure)) return;
    const unreported = this.#unreported.get(snapshot.ref) ?? new Map<string, LoginFault>();
    this.#unreported.set(snapshot.ref, unreported.set(provider, fault));
  }

  /** The failure of the login with this link. */
  faultOf(attemptId: string): LoginFault | undefined {
    return this.#byLink.get(digestOf(attemptId))?.fault;
  }

  /**
   * The failure of the login that an authorization response belongs to. Only the browser that consented last gets it.
   * @param cookieOf returns this browser's cookie of a login, by the digest of the login's link
   */
  faultOfCallback(
    state: string,
    cookieOf: (linkDigest: string) => string | undefined,
  ): LoginFault | undefined {
    const link = this.#linkByState.get(digestOf(state));
    const entry = link === undefined ? undefined : this.#byLink.get(link);
    if (link === undefined || !entry?.transaction) return undefined;
    const cookie = cookieOf(link);
    const isSameBrowser =
      cookie !== undefined && isSameDigest(digestOf(cookie), entry.transaction.cookieDigest);
    return isSameBrowser ? entry.fault : undefined;
  }

  /** Returns the failure of a session's latest login at a provider, once, if its client does not know it yet. */
  takeUnreported(ref: SessionRef, provider: string): LoginFault | undefined {
    const unreported = this.#unreported.get(ref);
    const fault = unreported?.get(provider);
    unreported?.delete(provider);
    if (unreported?.size === 0) this.#unreported.delete(ref);
    return fault;
  }

  /** Deletes what a session's client would be told. */
  deleteUnreported(ref: SessionRef): void {
    this.#unreported.delete(ref);
  }

  /** Deletes everything. */
  clear(): void {
    this.#byLink.clear();
    this.#linkByState.clear();
    this.#unreported.clear();
  }
}
