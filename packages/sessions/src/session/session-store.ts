import type { SessionRef } from './ids.js';
import type { SessionRecord } from './session-record.js';

/**
 * Where session records are kept. Every method may take its time and may be answered out of order; what
 * each guarantees then is said with it.
 */
export interface SessionStore {
  /** Adds a record. Atomic: of two for the same reference, one is refused. @returns whether it was added. */
  insert(record: SessionRecord): Promise<boolean>;

  /** The record as of some moment between call and answer. */
  get(ref: SessionRef): Promise<SessionRecord | undefined>;

  /**
   * Replaces a record by its direct successor. Atomic compare-and-set: it succeeds only while the stored
   * version is `next.version - 1`. The time of the last request is kept if the stored one is later.
   * @returns whether it was replaced.
   */
  replace(next: SessionRecord): Promise<boolean>;

  /** Moves the time of the last request forward, never back; the version stays. Unknown references are ignored. */
  touch(ref: SessionRef, atMs: number): Promise<void>;

  /** Takes a record out. Atomic: of several callers, one gets it. */
  take(ref: SessionRef): Promise<SessionRecord | undefined>;
}
