import { SessionError } from '../errors.js';
import { FairEviction } from '../limits/fair-eviction.js';
import { DEFAULT_LIMITS } from '../limits/limits.js';
import type { SessionRef } from '../session/ids.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';
import { digestOf } from '../vault/secret-digest.js';
import { type AuthorizationTransaction, type LoginAttempt, quotaKeyOf, wipeChecks } from './login-attempt.js';

/** The maximum number of pending logins of one session. */
const MAX_PER_SESSION = 3;

/** A transaction and the attempt that it belongs to. */
export interface OpenTransaction {
  readonly attempt: LoginAttempt;
  readonly transaction: AuthorizationTransaction;
}

/** The pending logins of a node. Finds them by link, by session, and by the `state` of an authorization response. */
export class LoginAttempts {
  readonly #deadlines: Deadlines;
  readonly #maxAttempts: number;
  readonly #byId = new Map<string, LoginAttempt>();
  readonly #byState = new Map<string, LoginAttempt>();
  /** By the digest of the cookie of the browser that consented last. */
  readonly #byCookie = new Map<string, LoginAttempt>();
  readonly #bySession = new Map<SessionRef, Map<string, LoginAttempt>>();
  readonly #expiries = new Map<LoginAttempt, Deadline>();
  /** The attempts by quota key. */
  readonly #eviction = new FairEviction<LoginAttempt>();

  /** @param maxAttempts the maximum number of pending logins of this node */
  constructor(deadlines: Deadlines, maxAttempts: number = DEFAULT_LIMITS.pendingLogins) {
    this.#deadlines = deadlines;
    this.#maxAttempts = maxAttempts;
  }

  /**
   * The attempt to evict before another one of `quotaKey` is added: the oldest without a consent, of the quota key with
   * the most attempts. An attempt with a consent is evicted only if its quota key has more attempts than `quotaKey`.
   * @returns `undefined` while there is capacity, and if no attempt may be evicted
   */
  evictionCandidate(quotaKey: string): LoginAttempt | undefined {
    if (this.#byId.size < this.#maxAttempts) return undefined;
    const largest = this.#eviction.largest();
    const [oldest] = largest;
    return (
      firstWithoutConsent(largest) ??
      (largest.size > this.#eviction.of(quotaKey).size + 1
        ? oldest
        : firstWithoutConsent(this.#byId.values()))
    );
  }

  /** @throws SessionError `limit_reached` if the session has too many pending logins for another one at `provider` */
  assertSessionCapacity(ref: SessionRef, provider: string): void {
    const others = this.allOf(ref).filter((attempt) => attempt.provider !== provider);
    if (others.length >= MAX_PER_SESSION)
      throw limitReached(
        'This session has too many pending logins. Complete one of them, or try again in a minute.',
      );
  }

  /** @throws SessionError `limit_reached` if the node has too many pending logins */
  add(attempt: LoginAttempt, onExpiry: () => void): void {
    if (this.#byId.size >= this.#maxAttempts)
      throw limitReached('This server has too many pending logins. Try again in a minute.');
    const ofSession = this.#bySession.get(attempt.snapshot.ref) ?? new Map<string, LoginAttempt>();
    this.#byId.set(digestOf(attempt.id), attempt);
    this.#eviction.add(attempt, quotaKeyOf(attempt.source));
    ofSession.set(attempt.provider, attempt);
    this.#bySession.set(attempt.snapshot.ref, ofSession);
    this.expireAt(attempt, attempt.expiresAtMs, onExpiry);
  }

  /** Sets the expiry of an attempt, in place of the previous one. */
  expireAt(attempt: LoginAttempt, atMs: number, onExpiry: () => void): void {
    this.#expiries.get(attempt)?.cancel();
    this.#expiries.set(attempt, this.#deadlines.at(atMs, onExpiry));
  }

  byId(id: string): LoginAttempt | undefined {
    return this.#byId.get(digestOf(id));
  }

  /** The latest attempt of a session at a provider. */
  latest(ref: SessionRef, provider: string): LoginAttempt | undefined {
    return this.#bySession.get(ref)?.get(provider);
  }

  all(): LoginAttempt[] {
    return [...this.#byId.values()];
  }

  allOf(ref: SessionRef): LoginAttempt[] {
    return [...(this.#bySession.get(ref)?.values() ?? [])];
  }

  /** Sets the open transaction of an attempt. The responses of earlier ones are no longer accepted. */
  setTransaction(attempt: LoginAttempt, transaction: AuthorizationTransaction): void {
    this.dropTransaction(attempt);
    const { stateDigest, cookieDigest } = transaction;
    attempt.transaction = transaction;
    attempt.lastTransaction = { stateDigest, cookieDigest };
    this.#byState.set(stateDigest, attempt);
    this.#byCookie.set(cookieDigest, attempt);
  }

  /** Finds the transaction of an authorization response by its `state`. */
  byState(state: string): OpenTransaction | undefined {
    const attempt = this.#byState.get(digestOf(state));
    return attempt?.transaction && { attempt, transaction: attempt.transaction };
  }

  /** Finds the open transaction of the browser that keeps a cookie. */
  byCookie(cookie: string): OpenTransaction | undefined {
    const attempt = this.#byCookie.get(digestOf(cookie));
    return attempt?.transaction && { attempt, transaction: attempt.transaction };
  }

  /** Takes the transaction of an authorization response. Its `state` is valid once. */
  take({ attempt, transaction }: OpenTransaction): void {
    this.#forget(transaction);
    attempt.transaction = undefined;
  }

  remove(attempt: LoginAttempt): void {
    this.dropTransaction(attempt);
    attempt.devicePoller?.stop();
    this.#byId.delete(digestOf(attempt.id));
    this.#eviction.delete(attempt);
    this.#expiries.get(attempt)?.cancel();
    this.#expiries.delete(attempt);
    const ofSession = this.#bySession.get(attempt.snapshot.ref);
    if (ofSession?.get(attempt.provider) === attempt) ofSession.delete(attempt.provider);
    if (ofSession?.size === 0) this.#bySession.delete(attempt.snapshot.ref);
  }

  /** Drops the open transaction of an attempt. Its response is no longer accepted. */
  dropTransaction(attempt: LoginAttempt): void {
    const { transaction } = attempt;
    if (!transaction) return;
    this.#forget(transaction);
    attempt.transaction = undefined;
    wipeChecks(transaction.checks);
  }

  #forget({ stateDigest, cookieDigest }: AuthorizationTransaction): void {
    this.#byState.delete(stateDigest);
    this.#byCookie.delete(cookieDigest);
  }
}

function limitReached(message: string): SessionError {
  return new SessionError('limit_reached', message, { retryAfterSeconds: 60 });
}

function firstWithoutConsent(attempts: Iterable<LoginAttempt>): LoginAttempt | undefined {
  for (const attempt of attempts) if (!attempt.lastTransaction) return attempt;
  return undefined;
}
