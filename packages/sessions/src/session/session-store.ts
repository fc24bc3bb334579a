import type { SessionRef } from './ids.js';
import type { SessionRecord } from './session-record.js';

/**
 * Keeps session records. Methods may be slow, and may complete in another order than they were called. Each docstring
 * says what the method guarantees.
 */
export interface SessionStore {
  /** Adds a record. Atomic: of two for the same reference, one is refused. @returns whether it was added. */
  insert(record: SessionRecord): Promise<boolean>;

  /** The record at some time between the call and its result. */
  get(ref: SessionRef): Promise<SessionRecord | undefined>;

  /**
   * Replaces a record by its direct successor. Atomic compare-and-set: it succeeds only while the stored
   * version is `next.version - 1`. The time of the last request is kept if the stored one is later.
   * @returns whether it was replaced.
   */
  replace(next: SessionRecord): Promise<boolean>;

  /** Moves the time of the last request forward, never back; the version stays. Unknown references are ignored. */
  touch(ref: SessionRef, atMs: number): Promise<void>;

  /** Removes a record and returns it. Atomic: of several callers, one gets it. */
  take(ref: SessionRef): Promise<SessionRecord | undefined>;
}
