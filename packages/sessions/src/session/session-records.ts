import type { Clock } from '../time/clock.js';
import { andThen, type MaybePromise } from '../time/promises.js';
import { type RandomSource, randomNumber } from '../vault/random.js';
import { ChangeOrder, type OrderedChange } from './change-order.js';
import type { SessionRef } from './ids.js';
import { type EndReason, isSignedIn, lastAccountOf, type SessionRecord } from './session-record.js';
import type { Insertion, InsertLimits, SessionStore } from './session-store.js';

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

/** How a change is made. */
export interface ChangeOptions {
  /**
   * Whether a record shows that the change has taken place, although its answer was lost and other changes have followed.
   * Default: not known
   */
  readonly isDone?: ((record: SessionRecord) => boolean) | undefined;
  /** Whether it is tried for a minute until the store answers: what it commits cannot be obtained again. */
  readonly isLasting?: boolean | undefined;
}

/** The time between two tries of a lasting change, and how long it is tried. */
const LASTING_PAUSE_MS = 1000;
const MAX_LASTING_MS = 60_000;
/** The time may have passed at once, while the machine was suspended. */
const MIN_LASTING_TRIES = 10;

/**
 * The records of sessions, and their changes, each by compare-and-set. If the answer of the store is lost, a read shows
 * whether the change took place; if not, it is made once more. If that is not known, either, a method throws SessionError
 * `store_unavailable`.
 *
 * A removal is told of when the changes that this process has sent before are answered: it emits no event of a session
 * after that of its end.
 */
export class SessionRecords {
  readonly #options: SessionRecordsOptions;
  /** Records that are being removed. */
  readonly #taking = new Map<SessionRef, Promise<SessionRecord | undefined>>();
  readonly #order = new ChangeOrder();

  constructor(options: SessionRecordsOptions) {
    this.#options = options;
  }

  /** A new record with its first version and its due time. */
  first(record: SessionRecord): SessionRecord {
    const { random, dueAtMsOf } = this.#options;
    return { ...record, version: randomNumber(random), dueAtMs: dueAtMsOf(record) };
  }

  /** Adds a record if there is room. @throws what the store throws */
  insert(record: SessionRecord, limits: InsertLimits): MaybePromise<Insertion> {
    return this.#options.store.insert(record, limits);
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
      await this.#takeBack(record.ref);
      throw error;
    });
  }

  /**
   * Changes a record. If another change comes first, calls `change` again with the newest record.
   * @returns the record before and after; `undefined` if there is no record, or `change` returned `undefined`
   */
  async update(
    ref: SessionRef,
    change: SessionChange,
    options: ChangeOptions = {},
  ): Promise<ChangedSession | undefined> {
    const sending = this.#order.change(ref);
    try {
      return await this.#update(ref, change, options, sending);
    } finally {
      sending.settle();
    }
  }

  async #update(
    ref: SessionRef,
    change: SessionChange,
    { isDone = () => false, isLasting = false }: ChangeOptions,
    sending: OrderedChange,
  ): Promise<ChangedSession | undefined> {
    const { store, random, clock } = this.#options;
    const startedMs = clock.now();
    let unanswered: (ChangedSession & { readonly error: unknown }) | undefined;
    let failures = 0;
    const pauseAfter = async (error: unknown) => {
      const isOver = failures >= MIN_LASTING_TRIES && clock.now() - startedMs >= MAX_LASTING_MS;
      if (!isLasting || isOver) throw error;
      sending.settle();
      await new Promise<void>((resolve) => clock.after(LASTING_PAUSE_MS, resolve));
    };
    for (;;) {
      let before: SessionRecord | undefined;
      try {
        before = await store.get(ref);
      } catch (error) {
        failures++;
        await pauseAfter(error);
        continue;
      }
      if (unanswered && before) {
        if (before.version === unanswered.after.version) return unanswered;
        if (isDone(before)) return { before: unanswered.before, after: before };
        if (!isLasting && failures > 1) throw unanswered.error;
      }
      const fields = before && change(before);
      if (!before || !fields) return undefined;
      const after = this.#changed(before, { ...fields, version: randomNumber(random) });
      try {
        const answer = store.replace(after, before.version);
        if (answer instanceof Promise) sending.send();
        if (await answer) return { before, after };
        sending.settle();
      } catch (error) {
        failures++;
        unanswered = { before, after, error };
        if (isLasting && failures > 1) await pauseAfter(error);
      }
    }
  }

  /**
   * Removes a record and returns it, within one tick if the store answers at once. If the answer is lost and the record
   * is gone, returns it as read just before: to wipe and revoke twice is harmless, to leave it out is not.
   */
  take(ref: SessionRef, reason: EndReason): MaybePromise<SessionRecord | undefined> {
    const { store } = this.#options;
    const earlier = this.#taking.get(ref);
    if (earlier) return earlier.then(() => undefined);
    const taken = andThen(store.get(ref), (seen) => {
      if (!seen) return undefined;
      const answer = store.take(ref, reason);
      if (!(answer instanceof Promise)) return answer;
      return answer.catch(async (error: unknown) => {
        const current = await store.get(ref);
        // A new session of the same owner has the same reference, and another time.
        if (current?.createdAtMs === seen.createdAtMs) throw error;
        // Another caller has removed it, and wipes and revokes.
        if ((await store.endReasonOf(ref)) !== reason) return undefined;
        return seen;
      });
    });
    if (!(taken instanceof Promise)) return taken;
    // Of the callers of this process one gets the record, also if an answer is lost.
    const told = taken.then(async (record) => {
      await this.#order.answered(ref);
      return record;
    });
    const over = told.finally(() => this.#taking.delete(ref));
    this.#taking.set(ref, over);
    return over;
  }

  async #takeBack(ref: SessionRef): Promise<void> {
    try {
      await this.#options.store.take(ref, 'cap');
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #changed(before: SessionRecord, fields: Partial<SessionRecord>): SessionRecord {
    const after = { ...before, ...fields };
    const isSignedOut = isSignedIn(before) && !isSignedIn(after);
    // Many users can share an address. A session that had a login counts for its account instead.
    const quotaKey = (isSignedOut ? lastAccountOf(before) : undefined) ?? after.quotaKey;
    return { ...after, quotaKey, dueAtMs: this.#options.dueAtMsOf(after) };
  }
}
