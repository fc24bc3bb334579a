import { ExpiringMap } from '../../limits/expiring-map.js';
import type { SessionRef } from '../../session/ids.js';
import { type IndexKey, indexKeysOf } from '../../session/session-index.js';
import type { EndReason, SessionRecord } from '../../session/session-record.js';
import type {
  Insertion,
  InsertLimits,
  RefPage,
  SessionStore,
  StoredSessions,
} from '../../session/session-store.js';
import type { Clock } from '../../time/clock.js';
import { DueWheel } from './due-wheel.js';
import { KeyIndex } from './key-index.js';
import { NumberPool } from './number-pool.js';
import { RefIndex } from './ref-index.js';
import { RowGroups } from './row-groups.js';
import { SealedPlaces } from './sealed-places.js';
import { SessionRows } from './session-rows.js';
import { Slab } from './slab.js';

export interface SessionTableOptions {
  readonly clock: Clock;
  /** Whether the client of a session is present. */
  readonly isPresent: (ref: SessionRef) => boolean;
}

/** How long the reason of an end is kept. */
const END_REASON_MS = 10 * 60_000;
/** The maximum number of these reasons. */
export const MAX_END_REASONS = 10_000;

/**
 * Keeps sessions in a table, until the process ends: a `Map` finds the row of a reference, and everything else is outside
 * the V8 heap, so that a million idle sessions are no work for the garbage collector. Each method acts within one tick.
 */
export class SessionTable implements SessionStore {
  readonly #index: RefIndex;
  readonly #free = new NumberPool();
  readonly #rows: SessionRows;
  readonly #groups: RowGroups;
  readonly #keys: KeyIndex;
  readonly #due: DueWheel;
  readonly #endReasons: ExpiringMap<SessionRef, EndReason>;

  constructor(options: SessionTableOptions) {
    const { clock } = options;
    const slab = new Slab();
    const rows = new SessionRows(slab, new SealedPlaces(clock, slab));
    this.#rows = rows;
    this.#index = new RefIndex((row, ref) => rows.refOf(row) === ref);
    this.#groups = new RowGroups({ ...options, rows });
    this.#keys = new KeyIndex((row, key) => indexKeysOf(rows.read(row)).includes(key));
    this.#due = new DueWheel(clock);
    this.#endReasons = new ExpiringMap({ clock, maxEntries: MAX_END_REASONS, ttlMs: END_REASON_MS });
  }

  get size(): number {
    return this.#index.size;
  }

  /** The numbers of sessions, by their state. */
  get counts(): StoredSessions {
    const { anonymous, connections } = this.#groups;
    return { anonymous, owned_connection: connections, signed_in: this.size - anonymous - connections };
  }

  insert(record: SessionRecord, limits: InsertLimits): Insertion {
    if (this.#index.rowOf(record.ref) !== undefined) return { kind: 'exists' };
    const groups = this.#groups;
    const room = limits.share ? groups.roomFor(record, limits.share) : { instead: undefined };
    if ('waitMs' in room) return { kind: 'share_full', waitMs: room.waitMs };
    const { instead } = room;
    const size = this.size - (instead === undefined ? 0 : 1);
    const anonymous = groups.anonymous - (groups.hasAnonymous(instead) ? 1 : 0);
    const isFull =
      size >= limits.maxSessions || (groups.isAnonymous(record) && anonymous >= limits.maxAnonymous);
    if (isFull && anonymous === 0) return { kind: 'full' };

    const evicted = [this.#evict(instead)];
    if (isFull) evicted.push(this.#evict(groups.longestIdleOfLargest()));
    this.#add(record);
    return { kind: 'inserted', evicted: evicted.filter((each) => each !== undefined) };
  }

  get(ref: SessionRef): SessionRecord | undefined {
    const row = this.#index.rowOf(ref);
    return row === undefined ? undefined : this.#rows.read(row);
  }

  visit(ref: SessionRef, atMs: number, quietMs: number): SessionRecord | undefined {
    const row = this.#index.rowOf(ref);
    if (row === undefined) return undefined;
    const lastRequestAtMs = this.#rows.lastRequestAtMs.get(row);
    if (atMs - lastRequestAtMs < quietMs) {
      this.#groups.renew(row);
      this.#rows.lastRequestAtMs.set(row, Math.max(atMs, lastRequestAtMs));
    }
    return this.#rows.read(row);
  }

  replace(next: SessionRecord, ifVersion: number): boolean {
    const row = this.#index.rowOf(next.ref);
    if (row === undefined || this.#rows.version.get(row) !== ifVersion) return false;
    const current = this.#rows.read(row);
    const lastRequestAtMs = Math.max(next.lastRequestAtMs, current.lastRequestAtMs);
    this.#rows.write(row, { ...next, lastRequestAtMs });
    this.#groups.change(row, current, next);
    this.#keys.change(row, indexKeysOf(current), indexKeysOf(next));
    if (next.dueAtMs !== current.dueAtMs) this.#due.set(row, next.dueAtMs);
    return true;
  }

  take(ref: SessionRef, reason: EndReason): SessionRecord | undefined {
    const row = this.#index.rowOf(ref);
    if (row === undefined) return undefined;
    const record = this.#rows.read(row);
    this.#index.delete(ref, row);
    this.#groups.remove(row);
    this.#keys.change(row, indexKeysOf(record), []);
    this.#due.delete(row);
    this.#rows.clear(row);
    this.#free.giveBack(row);
    this.#endReasons.set(ref, reason);
    return record;
  }

  endReasonOf(ref: SessionRef): EndReason | undefined {
    return this.#endReasons.get(ref);
  }

  refsOf(key: IndexKey): readonly SessionRef[] {
    return this.#keys.rowsOf(key).map((row) => this.#rows.refOf(row));
  }

  refs(after: number = 0): RefPage {
    return this.#rows.refs(after);
  }

  postpone(ref: SessionRef, atMs: number): void {
    const row = this.#index.rowOf(ref);
    if (row === undefined) return;
    this.#rows.dueAtMs.set(row, atMs);
    this.#due.set(row, atMs);
  }

  consumeDue(run: (ref: SessionRef) => void): () => void {
    return this.#due.consume((row) => run(this.#rows.refOf(row)));
  }

  #add(record: SessionRecord): void {
    const row = this.#free.take();
    this.#rows.write(row, record);
    this.#index.add(record.ref, row);
    this.#groups.change(row, undefined, record);
    this.#keys.change(row, [], indexKeysOf(record));
    this.#due.set(row, record.dueAtMs);
  }

  #evict(row: number | undefined): SessionRecord | undefined {
    return row === undefined ? undefined : this.take(this.#rows.refOf(row), 'cap');
  }
}
