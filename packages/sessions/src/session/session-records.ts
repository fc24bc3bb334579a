import type { Clock } from '../time/clock.js';
import type { MaybePromise } from '../time/promises.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import type { SessionRef } from './ids.js';
import { type EndReason, isSignedIn, lastAccountOf, type SessionRecord } from './session-record.js';
import type { Insertion, InsertLimits, SessionStore } from './session-store.js';
import { StoreRetry } from './store-retry.js';

export interface SessionRecordsOptions {
  readonly store: SessionStore;
  readonly random: RandomSource;
  readonly clock: Clock;
  /** When a session is due. */
  readonly dueAtMsOf: (record: SessionRecord) => number;
  /** Called with the errors of the store that no caller waits for. */
  readonly onError: (error: unknown) => void;
}

/** A change of a record, as its new fields; `undefined` leaves it as it is. */
export type SessionChange = (record: SessionRecord) => Partial<SessionRecord> | undefined;

/** A change that took place. */
export interface ChangedSession {
  readonly before: SessionRecord;
  readonly after: SessionRecord;
}

/** The number of later changes after which a change with a lost reply is no longer recognized. */
const MAX_STAMPS = 4;

/**
 * The records of sessions in a store that can fail, be slow and lose its replies. A method retries a failed store and
 * then throws SessionError `store_unavailable`, unless its docstring says otherwise.
 */
export class SessionRecords {
  readonly #options: SessionRecordsOptions;
  readonly #retry: StoreRetry;

  constructor(options: SessionRecordsOptions) {
    this.#options = options;
    this.#retry = new StoreRetry(options.clock);
  }

  get(ref: SessionRef): Promise<SessionRecord | undefined> {
    return this.#retry.run(async () => this.#options.store.get(ref));
  }

  /** Like `get`, without a retry. @throws what the store throws */
  async getAtOnce(ref: SessionRef): Promise<SessionRecord | undefined> {
    return this.#options.store.get(ref);
  }

  /** Notes a request of a session's client. @throws what the store throws */
  async touch(ref: SessionRef): Promise<void> {
    await this.#options.store.visit(ref, this.#options.clock.now(), Number.POSITIVE_INFINITY);
  }

  /** Adds a record if there is room. @throws what the store throws */
  insert(record: SessionRecord, limits: InsertLimits): MaybePromise<Insertion> {
    const { store, dueAtMsOf } = this.#options;
    return store.insert({ ...record, dueAtMs: dueAtMsOf(record) }, limits);
  }

  /**
   * Like `insert`, for a record with a random reference.
   * @throws what the store throws; the record is not in the store then, or its session ends unused
   */
  add(record: SessionRecord, limits: InsertLimits): MaybePromise<Insertion> {
    const insertion = this.insert(record, limits);
    if (!(insertion instanceof Promise)) return insertion;
    return insertion.catch(async (error: unknown) => {
      // If only the answer was lost, the record is in the store and no client knows its id.
      await this.#retry
        .run(async () => this.#options.store.take(record.ref, 'cap'))
        .catch(this.#options.onError);
      throw error;
    });
  }

  /**
   * Changes a record. If another change comes first, calls `change` again with the newest record.
   * @returns the record before and after; `undefined` if there is no record, or `change` returned `undefined`
   */
  async update(ref: SessionRef, change: SessionChange): Promise<ChangedSession | undefined> {
    const { store, random } = this.#options;
    const attempts: ChangedSession[] = [];
    let failures = 0;
    for (;;) {
      const before = await this.get(ref);
      const done = attempts.find(({ after }) => before?.stamps.includes(after.stamps[0] ?? ''));
      if (done) return done;
      const fields = before && change(before);
      if (!before || !fields) return undefined;
      const stamps = [randomToken(random), ...before.stamps].slice(0, MAX_STAMPS);
      const changed = {
        before,
        after: this.#changed(before, { ...fields, version: before.version + 1, stamps }),
      };
      attempts.push(changed);
      try {
        if (await store.replace(changed.after, before.version)) return changed;
      } catch (cause) {
        // The next read shows whether only the reply was lost.
        await this.#retry.afterFailure(++failures, cause);
      }
    }
  }

  /** Removes a record and returns it. If the reply is lost, returns the record as read just before. */
  async take(ref: SessionRef, reason: EndReason): Promise<SessionRecord | undefined> {
    const seen = await this.get(ref);
    let tries = 0;
    const taken = await this.#retry.run(async () => {
      tries++;
      return this.#options.store.take(ref, reason);
    });
    return taken ?? (tries > 1 ? seen : undefined);
  }

  #changed(before: SessionRecord, fields: Partial<SessionRecord>): SessionRecord {
    const after = { ...before, ...fields };
    const isSignedOut = isSignedIn(before) && !isSignedIn(after);
    // Many users can share an address. A session that had a login counts for its account instead.
    const quotaKey = (isSignedOut ? lastAccountOf(before) : undefined) ?? after.quotaKey;
    return { ...after, quotaKey, dueAtMs: this.#options.dueAtMsOf(after) };
  }
}
