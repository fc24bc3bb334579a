import type { SessionRef } from '../session/ids.js';
import type { MaybePromise } from '../time/promises.js';
import type { AttemptKey, LoginAttempt, PendingAttempt } from './attempt-record.js';

/** How long a failed login is kept, in milliseconds. */
export const FAILED_LOGIN_KEPT_MS: number = 10 * 60 * 1000;
/** The maximum number of failed logins that are kept. */
export const MAX_FAILED_LOGINS = 4096;

/**
 * The logins that are pending or have failed. Each method promises what those of `SessionStore` do: it settles within a
 * second, a call that rejects may have taken effect and never does afterwards, and records are immutable.
 */
export interface AttemptStore {
  /**
   * Adds a pending attempt, in one step with what it replaces: only while `replaces` is the pending attempt of the same
   * session at the same provider (`undefined`: while there is none). That one fails as `superseded`. If the store is
   * full, another one fails as `evicted`: the oldest without a consent, of the quota key with the most attempts. An
   * attempt with a consent is evicted only if its quota key has more attempts than the new one's. Both ended attempts
   * get the version of the new one. A refused attempt changes nothing.
   */
  insert(
    attempt: PendingAttempt,
    replaces: AttemptKey | undefined,
    limits: AttemptLimits,
  ): MaybePromise<AttemptInsertion>;

  /** Failed attempts are found for {@link FAILED_LOGIN_KEPT_MS}, the latest {@link MAX_FAILED_LOGINS} of them. */
  get(key: AttemptKey): MaybePromise<LoginAttempt | undefined>;

  /** The attempt whose latest transaction has this state, open or not. @param stateDigest digest of the `state` */
  byState(stateDigest: string): MaybePromise<LoginAttempt | undefined>;

  /** The attempt whose open transaction belongs to the browser with this cookie. */
  byCookie(cookieDigest: string): MaybePromise<PendingAttempt | undefined>;

  /** The attempt of a session at a provider that was added last; `undefined` if that one is complete. */
  latest(ref: SessionRef, provider: string): MaybePromise<LoginAttempt | undefined>;

  /** The pending attempts of a session. */
  pendingOf(ref: SessionRef): MaybePromise<readonly PendingAttempt[]>;

  /** All pending attempts. */
  pending(): MaybePromise<readonly PendingAttempt[]>;

  /**
   * Replaces an attempt, with its due time. Compare-and-set: only while the stored version is `ifVersion`. A record with
   * an outcome is no longer pending, and never is again: of several callers that end an attempt, one does.
   * @returns whether it was replaced
   */
  replace(next: LoginAttempt, ifVersion: number): MaybePromise<boolean>;

  /**
   * Removes an attempt whose login is complete, only while the stored version is `ifVersion`.
   * @returns whether it was removed
   */
  remove(key: AttemptKey, ifVersion: number): MaybePromise<boolean>;

  /** Sets the due time of a pending attempt without a change. Other keys are ignored. */
  postpone(key: AttemptKey, atMs: number): MaybePromise<void>;

  /**
   * Hands each pending attempt over when it is due: to one node, and to a node again after some seconds unless its due
   * time was set in the meantime.
   * @param run must not throw
   * @returns a function that stops it
   */
  consumeDue(run: (key: AttemptKey) => void): () => void;
}

export interface AttemptLimits {
  /** The maximum number of pending attempts of one session. */
  readonly maxPerSession: number;
  /** The maximum number of pending attempts. */
  readonly maxAttempts: number;
}

export type AttemptInsertion =
  | {
      readonly kind: 'inserted';
      /** The attempts that have failed for it, as they were before. The caller revokes their tokens. */
      readonly superseded: PendingAttempt | undefined;
      readonly evicted: PendingAttempt | undefined;
    }
  /** `changed`: another attempt of the session at the provider is pending now, or the replaced one is not. */
  | { readonly kind: 'changed' | 'session_full' | 'full' };
