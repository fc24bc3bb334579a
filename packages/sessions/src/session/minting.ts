import { SessionError } from '../errors.js';
import type { Clock } from '../time/clock.js';
import { andThen, type MaybePromise } from '../time/promises.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import type { RandomSource } from '../vault/random.js';
import { insertLimitsOf, refusalOf, type SessionLimits } from './capacity/capacity.js';
import {
  mintSessionId,
  type Owner,
  ownerSessionRefOf,
  type SessionId,
  type SessionRef,
  sessionRefOf,
} from './ids.js';
import type { SessionEvents } from './session-events.js';
import { blankRecord, hasHandle, type SessionKind, type SessionRecord } from './session-record.js';
import type { SessionRecords } from './session-records.js';
import type { Insertion } from './session-store.js';

export interface SessionMintingOptions {
  readonly records: SessionRecords;
  readonly keys: KeyHierarchy;
  readonly random: RandomSource;
  readonly clock: Clock;
  readonly events: SessionEvents;
  readonly limits: SessionLimits;
  /** The current record of a session. Applies lifetimes that have ended. */
  readonly get: (ref: SessionRef) => MaybePromise<SessionRecord | undefined>;
  /** Called with each new session. */
  readonly onStarted: (record: SessionRecord) => void;
  /** Called with each session that was removed for a new one, before `onStarted`. */
  readonly onEvicted: (record: SessionRecord) => void;
}

/** A new session. The server does not keep its id. */
export interface MintedSession {
  readonly id: SessionId;
  readonly record: SessionRecord;
}

/**
 * Creates sessions, within the limits of the node, of addresses and of users. A method throws SessionError
 * `limit_reached` if the node is full and all sessions have a login, `too_many_requests` if the address or the user has
 * the maximum, and `store_unavailable`.
 */
export class SessionMinting {
  readonly #options: SessionMintingOptions;

  constructor(options: SessionMintingOptions) {
    this.#options = options;
  }

  /**
   * Creates a session with a random id.
   * @param fieldsOf what the record has besides
   */
  start(
    kind: SessionKind,
    owner: string,
    fieldsOf: (blank: SessionRecord) => Partial<SessionRecord> = () => ({}),
  ): MaybePromise<MintedSession> {
    const { records, random, keys, clock } = this.#options;
    const id = mintSessionId(random);
    const ref = sessionRefOf(keys, hasHandle({ kind }) ? 'handle' : 'connection', id);
    const blank = blankRecord(ref, kind, owner, clock.now());
    const record = records.first({ ...blank, ...fieldsOf(blank) });
    return andThen(records.add(record, insertLimitsOf(record, this.#options.limits)), (insertion) => {
      if (!this.#inserted(record, insertion)) throw new Error('A session reference was minted twice.');
      return { id, record };
    });
  }

  /** The session of an owner, as `find` reads it. Creates it if it does not exist. */
  async ofOwner(
    owner: Owner,
    find: (ref: SessionRef) => MaybePromise<SessionRecord | undefined>,
  ): Promise<SessionRecord> {
    const { get, keys, onStarted } = this.#options;
    const ref = ownerSessionRefOf(keys, owner);
    const current = await find(ref);
    if (current) return current;
    const record = this.#blankOf(owner, ref);
    for (let isUnknown = false; ; ) {
      try {
        if (await this.#insert(record)) return record;
      } catch (error) {
        if (isUnknown || !isUnavailable(error)) throw error;
        isUnknown = true;
      }
      const other = await get(ref);
      // The insertion has taken place, and its answer was lost.
      if (isUnknown && other?.epoch === record.epoch) onStarted(other);
      if (other) return other;
    }
  }

  /** @returns whether it was inserted, not another session with its reference found */
  #insert(record: SessionRecord): MaybePromise<boolean> {
    const { records, limits } = this.#options;
    return andThen(records.insert(record, insertLimitsOf(record, limits)), (insertion) =>
      this.#inserted(record, insertion),
    );
  }

  #blankOf({ key, subjectKey }: Owner, ref: SessionRef): SessionRecord {
    const { records, random, clock } = this.#options;
    return records.first({
      ...blankRecord(ref, 'owner-session', key, clock.now()),
      // The next session of this owner has the same reference. Late changes for the old one must not apply to it.
      epoch: random(5).readUIntBE(0, 5),
      generation: random(5).readUIntBE(0, 5),
      quotaKey: subjectKey,
      subjectKey,
    });
  }

  #inserted(record: SessionRecord, insertion: Insertion): boolean {
    const { events, limits, onEvicted, onStarted } = this.#options;
    if (insertion.kind === 'exists') return false;
    if (insertion.kind !== 'inserted') {
      const { reason, error } = refusalOf(record, insertion, limits);
      events.emit({ type: 'session.refused', reason });
      throw error;
    }
    for (const evicted of insertion.evicted) onEvicted(evicted);
    onStarted(record);
    return true;
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'store_unavailable';
}
