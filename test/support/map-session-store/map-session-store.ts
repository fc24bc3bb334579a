import { ExpiringMap } from '../../../packages/sessions/src/limits/expiring-map.js';
import type { SessionRef } from '../../../packages/sessions/src/session/ids.js';
import { type IndexKey, indexKeysOf } from '../../../packages/sessions/src/session/session-index.js';
import type { EndReason, SessionRecord } from '../../../packages/sessions/src/session/session-record.js';
import type {
  Insertion,
  InsertLimits,
  RefPage,
  SessionStore,
} from '../../../packages/sessions/src/session/session-store.js';
import { MAX_END_REASONS } from '../../../packages/sessions/src/store/table/session-table.js';
import type { Clock } from '../../../packages/sessions/src/time/clock.js';
import type { Deadlines } from '../../../packages/sessions/src/time/deadlines.js';
import { DueTimes } from './due-times.js';
import { IndexEntries } from './index-entries.js';
import { SessionGroups } from './session-groups.js';

export interface MapSessionStoreOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Whether the client of a session is present. */
  readonly isPresent: (ref: SessionRef) => boolean;
  /** The map that keeps the records. Default: a new one. */
  readonly records?: Map<SessionRef, SessionRecord> | undefined;
}

/** How long the reason of an end is kept. */
const END_REASON_MS = 10 * 60_000;

/** Keeps sessions in a `Map` that a test can inspect. Each method acts within one tick. */
export class MapSessionStore implements SessionStore {
  readonly #records: Map<SessionRef, SessionRecord>;
  readonly #index = new IndexEntries<IndexKey, SessionRef>();
  readonly #groups: SessionGroups;
  readonly #due: DueTimes<SessionRef>;
  readonly #endReasons: ExpiringMap<SessionRef, EndReason>;

  constructor(options: MapSessionStoreOptions) {
    const { clock, records = new Map<SessionRef, SessionRecord>() } = options;
    this.#records = records;
    this.#groups = new SessionGroups({
      ...options,
      lastRequestAtMs: (ref) => records.get(ref)?.lastRequestAtMs ?? 0,
    });
    this.#due = new DueTimes(options);
    this.#endReasons = new ExpiringMap({ clock, maxEntries: MAX_END_REASONS, ttlMs: END_REASON_MS });
  }

  get size(): number {
    return this.#records.size;
  }

  insert(record: SessionRecord, limits: InsertLimits): Insertion {
    if (this.#records.has(record.ref)) return { kind: 'exists' };
    const room = limits.share ? this.#groups.roomFor(record, limits.share) : { instead: undefined };
    if ('waitMs' in room) return { kind: 'share_full', waitMs: room.waitMs };
    const ofShare = room.instead && this.#records.get(room.instead);
    const size = this.size - (ofShare ? 1 : 0);
    const anonymous = this.#groups.anonymous - (ofShare && this.#groups.isAnonymous(ofShare) ? 1 : 0);
    const isFull =
      size >= limits.maxSessions || (this.#groups.isAnonymous(record) && anonymous >= limits.maxAnonymous);
    if (isFull && anonymous === 0) return { kind: 'full' };

    const evicted = [this.#evict(room.instead)];
    if (isFull) evicted.push(this.#evict(this.#groups.longestIdleOfLargest()));
    this.#records.set(record.ref, record);
    this.#groups.add(record);
    for (const key of indexKeysOf(record)) this.#index.add(key, record.ref);
    this.#due.set(record.ref, record.dueAtMs);
    return { kind: 'inserted', evicted: evicted.filter((each) => each !== undefined) };
  }

  get(ref: SessionRef): SessionRecord | undefined {
    return this.#records.get(ref);
  }

  visit(ref: SessionRef, atMs: number, quietMs: number): SessionRecord | undefined {
    const current = this.#records.get(ref);
    if (!current || atMs - current.lastRequestAtMs >= quietMs) return current;
    this.#groups.remove(ref);
    this.#groups.add(current);
    if (current.lastRequestAtMs >= atMs) return current;
    const visited = { ...current, lastRequestAtMs: atMs };
    this.#records.set(ref, visited);
    return visited;
  }

  replace(next: SessionRecord, ifVersion: number): boolean {
    const current = this.#records.get(next.ref);
    if (current?.version !== ifVersion) return false;
    const { lastRequestAtMs } = current;
    this.#records.set(next.ref, next.lastRequestAtMs < lastRequestAtMs ? { ...next, lastRequestAtMs } : next);
    this.#groups.change(current, next);
    this.#index.change(indexKeysOf(current), indexKeysOf(next), next.ref);
    if (next.dueAtMs !== current.dueAtMs) this.#due.set(next.ref, next.dueAtMs);
    return true;
  }

  take(ref: SessionRef, reason: EndReason): SessionRecord | undefined {
    const record = this.#records.get(ref);
    if (!record) return undefined;
    this.#records.delete(ref);
    this.#groups.remove(ref);
    for (const key of indexKeysOf(record)) this.#index.delete(key, ref);
    this.#due.delete(ref);
    this.#endReasons.set(ref, reason);
    return record;
  }

  endReasonOf(ref: SessionRef): EndReason | undefined {
    return this.#endReasons.get(ref);
  }

  refsOf(key: IndexKey): readonly SessionRef[] {
    return this.#index.of(key);
  }

  refs(): RefPage {
    return { refs: [...this.#records.keys()] };
  }

  postpone(ref: SessionRef, atMs: number): void {
    const current = this.#records.get(ref);
    if (!current) return;
    this.#due.set(ref, atMs);
    if (current.dueAtMs !== atMs) this.#records.set(ref, { ...current, dueAtMs: atMs });
  }

  consumeDue(run: (ref: SessionRef) => void): () => void {
    return this.#due.consume(run);
  }

  #evict(ref: SessionRef | undefined): SessionRecord | undefined {
    return ref === undefined ? undefined : this.take(ref, 'cap');
  }
}
