import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { type IndexKey, indexKeysOf } from '../../packages/sessions/src/session/session-index.js';
import {
  type EndReason,
  isSignedIn,
  type SessionRecord,
} from '../../packages/sessions/src/session/session-record.js';
import type { Insertion, InsertLimits } from '../../packages/sessions/src/session/session-store.js';

/** A session store as plain as its contract: lists that are searched. */
export class PlainSessionStore {
  /** In the order in which they were inserted. */
  records: SessionRecord[] = [];
  /** Those that may be removed for others, the longest idle first. */
  queue: SessionRef[] = [];
  readonly index: { readonly key: IndexKey; readonly ref: SessionRef }[] = [];
  readonly reasons = new Map<SessionRef, EndReason>();
  readonly present = new Set<SessionRef>();
  now = 0;

  get(ref: SessionRef): SessionRecord | undefined {
    return this.records.find((record) => record.ref === ref);
  }

  insert(record: SessionRecord, { maxSessions, maxAnonymous, share }: InsertLimits): Insertion {
    if (this.get(record.ref)) return { kind: 'exists' };
    const evicted: SessionRecord[] = [];
    const sharers = this.queued((each) => isConnection(each) === isConnection(record)).filter(
      ({ quotaKey }) => quotaKey === record.quotaKey,
    );
    if (share && isQueued(record) && sharers.length >= share.max) {
      const victim = sharers.find(({ ref }) => !this.present.has(ref));
      const waitMs = (victim?.lastRequestAtMs ?? this.now) + share.minIdleMs - this.now;
      if (!victim || waitMs > 0) return { kind: 'share_full', waitMs };
      evicted.push(victim);
    }
    const left = this.records.filter((each) => !evicted.includes(each));
    const anonymous = this.queued((each) => !isConnection(each)).filter((each) => !evicted.includes(each));
    const countsAsAnonymous = isQueued(record) && !isConnection(record);
    if (left.length >= maxSessions || (countsAsAnonymous && anonymous.length >= maxAnonymous)) {
      const sizes = new Map<string, number>();
      for (const { quotaKey } of anonymous) sizes.set(quotaKey, (sizes.get(quotaKey) ?? 0) + 1);
      const largest = Math.max(...sizes.values());
      const victims = anonymous.filter(({ quotaKey }) => sizes.get(quotaKey) === largest);
      if (victims.length === 0) return { kind: 'full' };
      // Which of several equally large shares loses one is not defined. The test decides it.
      const victim = this.choose(victims.filter((each, at) => firstOfShare(victims, each) === at));
      evicted.push(victim);
    }
    for (const { ref } of evicted) this.take(ref, 'cap');
    this.records.push(record);
    this.place(record);
    return { kind: 'inserted', evicted };
  }

  /** Chooses among equally suitable sessions. */
  choose: (suitable: readonly SessionRecord[]) => SessionRecord = ([first]) => {
    if (!first) throw new Error('There is none.');
    return first;
  };

  visit(ref: SessionRef, atMs: number, quietMs: number): SessionRecord | undefined {
    const current = this.get(ref);
    if (!current || atMs - current.lastRequestAtMs >= quietMs) return current;
    this.unqueue(ref);
    if (isQueued(current)) this.queue.push(ref);
    this.put({ ...current, lastRequestAtMs: Math.max(atMs, current.lastRequestAtMs) });
    return this.get(ref);
  }

  replace(next: SessionRecord, ifVersion: number): boolean {
    const current = this.get(next.ref);
    if (current?.version !== ifVersion) return false;
    this.put({ ...next, lastRequestAtMs: Math.max(next.lastRequestAtMs, current.lastRequestAtMs) });
    const isMoved =
      isQueued(current) !== isQueued(next) ||
      isConnection(current) !== isConnection(next) ||
      current.quotaKey !== next.quotaKey;
    if (isMoved) this.unqueue(next.ref);
    this.place(next);
    return true;
  }

  take(ref: SessionRef, reason: EndReason): SessionRecord | undefined {
    const record = this.get(ref);
    if (!record) return undefined;
    this.records = this.records.filter((each) => each !== record);
    this.unqueue(ref);
    this.unindex(ref, []);
    this.reasons.set(ref, reason);
    return record;
  }

  refsOf(key: IndexKey): readonly SessionRef[] {
    return this.index.filter((entry) => entry.key === key).map(({ ref }) => ref);
  }

  postpone(ref: SessionRef, dueAtMs: number): void {
    const current = this.get(ref);
    if (current) this.put({ ...current, dueAtMs });
  }

  private put(record: SessionRecord): void {
    this.records = this.records.map((each) => (each.ref === record.ref ? record : each));
  }

  private place(record: SessionRecord): void {
    const { ref } = record;
    if (isQueued(record) && !this.queue.includes(ref)) this.queue.push(ref);
    this.unindex(ref, indexKeysOf(record));
    for (const key of indexKeysOf(record)) {
      if (!this.refsOf(key).includes(ref)) this.index.push({ key, ref });
    }
  }

  private queued(fits: (record: SessionRecord) => boolean): SessionRecord[] {
    return this.queue
      .map((ref) => this.get(ref))
      .filter((each) => each !== undefined && fits(each)) as SessionRecord[];
  }

  private unqueue(ref: SessionRef): void {
    this.queue = this.queue.filter((each) => each !== ref);
  }

  private unindex(ref: SessionRef, kept: readonly IndexKey[]): void {
    const left = this.index.filter((entry) => entry.ref !== ref || kept.includes(entry.key));
    this.index.splice(0, this.index.length, ...left);
  }
}

function isConnection({ kind }: SessionRecord): boolean {
  return kind === 'owned-connection';
}

function isQueued(record: SessionRecord): boolean {
  return isConnection(record) || !isSignedIn(record);
}

function firstOfShare(records: readonly SessionRecord[], { quotaKey }: SessionRecord): number {
  return records.findIndex((each) => each.quotaKey === quotaKey);
}
