import type { Clock } from '../time/clock.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import type { SessionRef } from './ids.js';
import type { SessionRecord } from './session-record.js';
import type { SessionStore } from './session-store.js';
import { StoreRetry } from './store-retry.js';

export interface SessionRecordsOptions {
  readonly store: SessionStore;
  readonly random: RandomSource;
  readonly clock: Clock;
  /** Hears of a store that failed when nobody was waiting for it. */
  readonly onError: (error: unknown) => void;
}

/** A change of a record, as its new fields; `undefined` leaves it as it is. */
export type SessionChange = (record: SessionRecord) => Partial<SessionRecord> | undefined;

/** A change that took place. */
export interface ChangedSession {
  readonly before: SessionRecord;
  readonly after: SessionRecord;
}

/** By how many others a change may be followed before its lost answer can no longer be told. */
const STAMPS_KEPT = 4;

/**
 * The records of sessions in a store that can fail, be slow and lose its answers. Where nothing else is said,
 * one that fails is asked again, and then SessionError `store_unavailable` is thrown.
 */
export class SessionRecords {
  readonly #options: SessionRecordsOptions;
  readonly #insistence: StoreRetry;

  constructor(options: SessionRecordsOptions) {
    this.#options = options;
    this.#insistence = new StoreRetry(options.clock);
  }

  get(ref: SessionRef): Promise<SessionRecord | undefined> {
    return this.#insistence.on(() => this.#options.store.get(ref));
  }

  /** As `get`, for those who would rather hear of a failure at once. @throws what the store throws */
  getAtOnce(ref: SessionRef): Promise<SessionRecord | undefined> {
    return this.#options.store.get(ref);
  }

  /** Notes a request of a session's client. @throws what the store throws */
  touch(ref: SessionRef): Promise<void> {
    return this.#options.store.touch(ref, this.#options.clock.now());
  }

  /** Adds a record whose reference was minted for it. @throws what the store throws; then it is not there */
  async add(record: SessionRecord): Promise<void> {
    const { store, onError } = this.#options;
    try {
      if (!(await store.insert(record))) throw new Error('A session reference was minted twice.');
    } catch (error) {
      // If only the answer was lost, the record is there, and nobody will ever ask for it.
      await this.#insistence.on(() => store.take(record.ref)).catch(onError);
      throw error;
    }
  }

  /** Adds a record unless there is one of that reference. @returns whether it was added */
  addUnlessThere(record: SessionRecord): Promise<boolean> {
    return this.#insistence.on(() => this.#options.store.insert(record));
  }

  /**
   * Changes a record, however many others change it at the same time: `change` is called again on the
   * newest state until its result fits.
   * @returns what was replaced by what, or `undefined` when there was nothing to change
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
      const stamps = [randomToken(random), ...before.stamps].slice(0, STAMPS_KEPT);
      const changed = { before, after: { ...before, ...fields, version: before.version + 1, stamps } };
      attempts.push(changed);
      try {
        if (await store.replace(changed.after)) return changed;
      } catch (cause) {
        // Whether only the answer was lost, the next look at the record tells.
        await this.#insistence.afterFailure(++failures, cause);
      }
    }
  }

  /** Takes a record out. If the answer is lost, the record as it was just before stands in for it. */
  async take(ref: SessionRef): Promise<SessionRecord | undefined> {
    const seen = await this.get(ref);
    let tries = 0;
    const taken = await this.#insistence.on(() => {
      tries++;
      return this.#options.store.take(ref);
    });
    return taken ?? (tries > 1 ? seen : undefined);
  }
}
