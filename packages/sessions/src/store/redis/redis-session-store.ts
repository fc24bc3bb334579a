import { storeUnavailable } from '../../errors.js';
import type { SessionRef } from '../../session/ids.js';
import { type IndexKey, indexKeysOf } from '../../session/session-index.js';
import { type EndReason, isSignedIn, type SessionRecord } from '../../session/session-record.js';
import type { Insertion, InsertLimits, RefPage, SessionStore } from '../../session/session-store.js';
import { pollDue } from './due-polling.js';
import type { Engine, Reply } from './engine.js';
import { type KeptRecord, OpenedRecords } from './opened-records.js';
import type { RecentWrites } from './recent-writes.js';
import { bytesIn, isAbsent, listOf, numberIn, textIn } from './replies.js';
import { insertSession } from './scripts/insert-session.js';
import { replaceSession } from './scripts/replace-session.js';
import { END_REASONS } from './scripts/session-keys.js';
import {
  dueSessions,
  endReason,
  postponeSession,
  readSession,
  refsOfIndex,
  takeSession,
} from './scripts/sessions.js';
import { visitSession } from './scripts/visit-session.js';
import type { SealedValues } from './sealed-values.js';

export interface RedisSessionStoreOptions {
  readonly engine: Engine;
  readonly values: SealedValues;
  /** Whether the client of a session is present at this node. */
  readonly isPresent: (ref: SessionRef) => boolean;
  /** Notes what is written, for a failover. Default: nothing is noted. */
  readonly writes?: RecentWrites | undefined;
}

/** More answers than this ask about clients only while their sessions change all the time. */
const MAX_QUESTIONS = 100;

/** Keeps sessions in an engine that several nodes share. The clients that are present at other nodes visit. */
export class RedisSessionStore implements SessionStore {
  readonly #options: RedisSessionStoreOptions;
  readonly #opened: OpenedRecords;

  constructor(options: RedisSessionStoreOptions) {
    this.#options = options;
    this.#opened = new OpenedRecords(() => options.engine.clock.now());
  }

  async insert(record: SessionRecord, limits: InsertLimits): Promise<Insertion> {
    const { engine, isPresent } = this.#options;
    const { maxSessions, maxAnonymous, share } = limits;
    const fields = this.#fieldsOf(record);
    const args = [record.ref, ...fields, maxSessions, maxAnonymous];
    const shareFields = [share?.max ?? '', share?.minIdleMs ?? 0];
    const absent = new Set<SessionRef>();
    const present = new Set<SessionRef>();
    // Presence at other nodes is in the engine.
    for (let question = 0; question < MAX_QUESTIONS; question++) {
      const clients = [absent.size, ...absent, ...present];
      const reply = await engine.run(insertSession, [...args, ...shareFields, ...clients]);
      const [kind, ...rest] = listOf(reply);
      if (textIn(kind) === 'inserted') {
        const [number, ...evicted] = rest;
        this.#options.writes?.written(record.ref, numberIn(number), fields);
        return { kind: 'inserted', evicted: evicted.map((each) => this.#removedRecordOf(each, 'cap')) };
      }
      if (textIn(kind) !== 'ask') return refusalOf(textIn(kind), rest);
      for (const ref of rest.map(refIn)) (isPresent(ref) ? present : absent).add(ref);
    }
    throw storeUnavailable(new Error('The sessions of the share have changed all the time.'));
  }

  async get(ref: SessionRef): Promise<SessionRecord | undefined> {
    const { engine } = this.#options;
    const known = this.#opened.copyOf(ref);
    const reply = known
      ? await engine.run(readSession, [ref, known.version])
      : await engine.read('HMGET', `s:${ref}`, 'v', 'q', 'd', 'r');
    return this.#readRecord(ref, reply, known?.kept);
  }

  async visit(ref: SessionRef, atMs: number, quietMs: number): Promise<SessionRecord | undefined> {
    const { engine, isPresent } = this.#options;
    const isInUse = isPresent(ref) ? 1 : 0;
    const known = this.#opened.copyOf(ref);
    const reply = await engine.run(visitSession, [ref, atMs, quietMs, isInUse, known?.version ?? '']);
    return this.#readRecord(ref, reply, known?.kept);
  }

  async replace(next: SessionRecord, ifVersion: number): Promise<boolean> {
    const { engine, writes } = this.#options;
    const fields = this.#fieldsOf(next);
    const number = numberIn(await engine.run(replaceSession, [next.ref, ifVersion, ...fields]));
    this.#opened.delete(next.ref);
    if (number > 0) writes?.written(next.ref, number, fields);
    return number > 0;
  }

  async take(ref: SessionRef, reason: EndReason): Promise<SessionRecord | undefined> {
    const reply = await this.#options.engine.run(takeSession, [ref, END_REASONS.indexOf(reason)]);
    return isAbsent(reply) ? undefined : this.#removedRecordOf(reply, reason);
  }

  async endReasonOf(ref: SessionRef): Promise<EndReason | undefined> {
    const reply = await this.#options.engine.run(endReason, [ref]);
    return isAbsent(reply) ? undefined : END_REASONS[numberIn(reply)];
  }

  async refsOf(key: IndexKey): Promise<readonly SessionRef[]> {
    const { engine, values } = this.#options;
    return listOf(await engine.run(refsOfIndex, [values.nameOf('index', key)])).map(refIn);
  }

  async refs(): Promise<RefPage> {
    return { refs: listOf(await this.#options.engine.read('SMEMBERS', 'refs')).map(refIn) };
  }

  async postpone(ref: SessionRef, atMs: number): Promise<void> {
    await this.#options.engine.run(postponeSession, [ref, atMs]);
  }

  consumeDue(run: (ref: SessionRef) => void): () => void {
    return pollDue(this.#options.engine, dueSessions, (ref) => run(ref as SessionRef));
  }

  /** The arguments of a script from the version to the index keys. */
  #fieldsOf(record: SessionRecord): (string | number | Buffer)[] {
    const { values } = this.#options;
    const { ref, version, lastRequestAtMs, dueAtMs, ...kept } = record;
    return [
      version,
      lastRequestAtMs,
      dueAtMs,
      values.seal('session', ref, kept),
      groupOf(record),
      values.nameOf('share', record.quotaKey),
      indexKeysOf(record)
        .map((key) => values.nameOf('index', key))
        .join(' '),
    ];
  }

  #removedRecordOf(reply: Reply, reason: EndReason): SessionRecord {
    const [name, version, lastRequestAtMs, dueAtMs, sealed, number] = listOf(reply);
    const ref = refIn(name);
    this.#opened.delete(ref);
    this.#options.writes?.removed(ref, numberIn(number), END_REASONS.indexOf(reason));
    return recordOf(ref, [version, lastRequestAtMs, dueAtMs], this.#open(ref, bytesIn(sealed)));
  }

  /** @param known what the record has if the engine sends none, because its version is known */
  #readRecord(ref: SessionRef, reply: Reply, known: KeptRecord | undefined): SessionRecord | undefined {
    const [version, lastRequestAtMs, dueAtMs, sealed] = isAbsent(reply) ? [] : listOf(reply);
    if (isAbsent(version)) {
      this.#opened.delete(ref);
      return undefined;
    }
    const numbers = [version, lastRequestAtMs, dueAtMs];
    if (known && isAbsent(sealed)) return recordOf(ref, numbers, known);
    const bytes = bytesIn(sealed);
    const kept = this.#open(ref, bytes);
    this.#opened.set(ref, numberIn(version), kept, bytes.length);
    return recordOf(ref, numbers, kept);
  }

  #open(ref: SessionRef, sealed: Buffer): KeptRecord {
    // Only this class seals sessions.
    return this.#options.values.open('session', ref, sealed) as KeptRecord;
  }
}

/** @param numbers version, last request, due time */
function recordOf(ref: SessionRef, numbers: readonly Reply[], kept: KeptRecord): SessionRecord {
  const [version, lastRequestAtMs, dueAtMs] = numbers.map(numberIn) as [number, number, number];
  return { ...kept, ref, version, lastRequestAtMs, dueAtMs };
}

/** An insertion that was refused. */
function refusalOf(kind: string, rest: readonly Reply[]): Insertion {
  switch (kind) {
    case 'share_full':
      return { kind, waitMs: numberIn(rest[0]) };
    case 'exists':
    case 'full':
      return { kind };
    default:
      throw storeUnavailable(new TypeError('The engine has answered an unknown kind of insertion.'));
  }
}

/** The group whose shares a session counts in; empty with a login. */
function groupOf(record: SessionRecord): 'a' | 'c' | '' {
  if (record.kind === 'owned-connection') return 'c';
  return isSignedIn(record) ? '' : 'a';
}

function refIn(reply: Reply): SessionRef {
  // Only references are stored as such.
  return textIn(reply) as SessionRef;
}
