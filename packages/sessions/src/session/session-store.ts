import type { MaybePromise } from '../time/promises.js';
import type { SessionRef } from './ids.js';
import type { IndexKey } from './session-index.js';
import type { EndReason, SessionRecord } from './session-record.js';

/**
 * Keeps session records: the port between sessions and a store in this process, or one behind a network.
 *
 * Every port of this library makes the same promises:
 *
 * - A method returns its answer, or a promise of it. A store in this process returns the answer, so that no other code
 *   of the process runs in between.
 * - A call settles within a second. The only error is the SessionError `store_unavailable`.
 * - After an error, it is not known whether the call took effect: read again. It takes no effect after the error.
 * - Calls may take effect in another order than they were made. What a read returns was true at some time between the
 *   call and the answer.
 * - Records are immutable. Those of a store behind a network are copies, so wiping one does not wipe the stored one.
 * - A store in this process takes sealed records over: it moves the bytes, and overwrites those that it was given. To open
 *   them, read the record again. Those that a change or an end has dropped can be opened for five seconds more.
 */
export interface SessionStore {
  /**
   * Adds a record if there is room, or room can be made, in one step: of two for the same reference one is refused, and
   * no limit is exceeded, however many are added at once. Room is made by removing sessions without a login:
   *
   * - In the record's own share (`quotaKey`), if `limits.share` is reached: the longest idle one whose client is absent
   *   and has been idle for `minIdleMs`.
   * - Of all, if `maxSessions` or `maxAnonymous` is reached: the longest idle one of the largest share.
   *
   * Owned connections have shares of their own. They are removed only for another one of the same share.
   */
  insert(record: SessionRecord, limits: InsertLimits): MaybePromise<Insertion>;

  /** The record of a session. */
  get(ref: SessionRef): MaybePromise<SessionRecord | undefined>;

  /**
   * Reads a record and notes a request of its client, in one step. The time of the last request moves to `atMs`, never
   * back, and the session becomes the newest of its share. The version stays. If the last request was `quietMs` or
   * longer ago, nothing is noted, so that no request revives a session whose lifetime has ended.
   *
   * A store that other nodes use, too, notes for how long the client counts as present, if it is present at this node.
   * @param quietMs `Infinity`: the visit is noted in any case
   * @returns the record after the visit
   */
  visit(ref: SessionRef, atMs: number, quietMs: number): MaybePromise<SessionRecord | undefined>;

  /**
   * Replaces a record, with its due time and index keys. Compare-and-set: only while the stored version is `ifVersion`.
   * The time of the last request is kept if the stored one is later.
   * @returns whether it was replaced
   */
  replace(next: SessionRecord, ifVersion: number): MaybePromise<boolean>;

  /** Removes a record and returns it: of several callers, one gets it. The reason is kept for ten minutes. */
  take(ref: SessionRef, reason: EndReason): MaybePromise<SessionRecord | undefined>;

  /** Why a session has ended, for ten minutes. */
  endReasonOf(ref: SessionRef): MaybePromise<EndReason | undefined>;

  /** The sessions with an index key (`indexKeysOf`), in the order in which they got it. */
  refsOf(key: IndexKey): MaybePromise<readonly SessionRef[]>;

  /**
   * A page of the references of all sessions. A session that exists from the first page to the last is in one of them;
   * one that begins or ends in the meantime may be.
   * @param after what the page before has as `next`. Default: the first page
   */
  refs(after?: number): MaybePromise<RefPage>;

  /** Sets when a session is due, without a change of its version. Unknown references are ignored. */
  postpone(ref: SessionRef, atMs: number): MaybePromise<void>;

  /**
   * Hands each session over when it is due: to one process, and again after some seconds unless its due time was set in
   * the meantime. Has no deadline.
   * @returns a function that stops it
   */
  consumeDue(run: (ref: SessionRef) => void): () => void;
}

/** The numbers of sessions, by their state. An owned connection has the login of its user's session. */
export type StoredSessions = Readonly<Record<'anonymous' | 'signed_in' | 'owned_connection', number>>;

/** Some of the references of all sessions. */
export interface RefPage {
  readonly refs: readonly SessionRef[];
  /** Where the next page begins. Absent: this is the last one. */
  readonly next?: number | undefined;
}

/** The limits of an insertion. */
export interface InsertLimits {
  /** The maximum number of sessions, owned connections included. */
  readonly maxSessions: number;
  /** The maximum number of sessions without a login, owned connections excluded. Does not limit owned connections. */
  readonly maxAnonymous: number;
  /** The limit of the record's share (`quotaKey`). Absent: none. */
  readonly share?: ShareLimit | undefined;
}

export interface ShareLimit {
  readonly max: number;
  /** The time without a request after which a session may be removed for another one of its share. */
  readonly minIdleMs: number;
}

/** The result of an insertion. If it was refused, nothing was removed. */
export type Insertion =
  /** @property evicted the sessions that made room, at most two. Their end reason is `cap`. */
  | { readonly kind: 'inserted'; readonly evicted: readonly SessionRecord[] }
  /** A session with this reference exists. */
  | { readonly kind: 'exists' }
  /**
   * The share has no session that can be removed.
   * @property waitMs until one of the share has been idle long enough
   */
  | { readonly kind: 'share_full'; readonly waitMs: number }
  /** All sessions have a login. */
  | { readonly kind: 'full' };
