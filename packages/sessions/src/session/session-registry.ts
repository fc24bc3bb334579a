import { signedOut } from '../errors.js';
import type { ClientKey } from '../limits/client-key.js';
import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import type { RandomSource } from '../vault/random.js';
import { SessionCapacity } from './capacity/capacity.js';
import type { Disposal, RevocationReport } from './disposal.js';
import {
  type IdKind,
  mintSessionId,
  type Owner,
  ownerSessionRefOf,
  parseSessionId,
  type SessionId,
  type SessionRef,
  sessionRefOf,
} from './ids.js';
import { type DueChange, type Lifetimes, nextDue } from './lifetimes.js';
import { isPresent, type Presence, SessionPresence, type StreamCloser } from './presence.js';
import type { SessionEvents } from './session-events.js';
import {
  blankRecord,
  type EndReason,
  hasHandle,
  isSignedIn,
  lastAccountOf,
  type SessionKind,
  type SessionRecord,
  type SignOutReason,
  snapshotOf,
} from './session-record.js';
import { type ChangedSession, type SessionChange, SessionRecords } from './session-records.js';
import { SessionSignals } from './session-signals.js';
import type { SessionStore } from './session-store.js';
import { Tombstones } from './tombstones.js';

export interface SessionRegistryOptions {
  readonly store: SessionStore;
  readonly keys: KeyHierarchy;
  readonly random: RandomSource;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly lifetimes: Lifetimes;
  readonly events: SessionEvents;
  readonly disposal: Disposal;
  /** How many sessions this node holds at most. */
  readonly maxSessions: number;
  /** The maximum number of sessions without a login. */
  readonly maxAnonymousSessions: number;
  /** How many sessions one address may have in which nobody has ever logged in. */
  readonly anonymousSessionsPerAddress: number;
  /** Hears of a store that failed when nobody was waiting for it. */
  readonly onError: (error: unknown) => void;
}

/** What an id from outside turned out to be. */
export type Resolution =
  | { readonly state: 'live'; readonly record: SessionRecord }
  | { readonly state: 'ended'; readonly reason: EndReason }
  | { readonly state: 'unknown' };

/** What came of a sign-out or an end; `revoked` waits for the providers. */
interface SignedOut {
  readonly revoked: Promise<RevocationReport[]>;
}

type IsRight = (record: SessionRecord) => boolean;

/** What this node keeps of a session besides its record. */
interface KnownSession {
  /** The newest version that was seen: answers can come late. */
  version: number;
  epoch: number;
  deadline: Deadline | undefined;
  /** Whether a request in flight has extended the deadline. */
  isDeferred: boolean;
}

const NOTHING_REVOKED: SignedOut = { revoked: Promise.resolve([]) };
/** When the time of a session is looked at again after the store failed. */
const RECHECK_MS = 1000;

/**
 * The sessions of this node: creates, resolves and touches them, signs them out and ends them, by request
 * or because their time has come.
 */
export class SessionRegistry {
  readonly #options: SessionRegistryOptions;
  readonly #records: SessionRecords;
  readonly #presence = new SessionPresence();
  readonly #tombstones: Tombstones;
  readonly #known = new Map<SessionRef, KnownSession>();
  readonly #signals = new SessionSignals();
  readonly #places: SessionCapacity;
  /** Sessions that are about to end: until then, nobody opens them anew. */
  readonly #ending = new Map<SessionRef, Promise<void>>();
  /** Sessions of owners that are being opened: those who ask at the same time get the same one. */
  readonly #opening = new Map<SessionRef, Promise<SessionRecord | undefined>>();

  constructor(options: SessionRegistryOptions) {
    this.#options = options;
    this.#records = new SessionRecords(options);
    this.#tombstones = new Tombstones(options.clock);
    this.#places = new SessionCapacity({
      ...options,
      maxPerAddress: options.anonymousSessionsPerAddress,
      size: () => this.size,
      isPresent: (ref) => isPresent(this.#presence.of(ref)),
      evict: (ref) => this.#evict(ref),
      has: (ref) => this.has(ref),
    });
  }

  /** How many sessions there are. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * Starts a session and mints its id, which is known to nobody else and kept nowhere.
   * @param clientKey the address that it counts for until somebody logs in; absent: none
   * @throws SessionError `limit_reached` when the node is full of sessions somebody is logged in to,
   * `too_many_requests` when the address has as many as it may
   */
  async start(
    kind: SessionKind,
    owner: string,
    clientKey?: ClientKey,
  ): Promise<{ id: SessionId; record: SessionRecord }> {
    return this.#places.take(() => this.#insert(kind, owner, clientKey), clientKey);
  }

  /**
   * The session of an owner, which is there as soon as it is asked for.
   * @throws SessionError `limit_reached` as `start`
   */
  async ofOwner(owner: Owner): Promise<SessionRecord> {
    const ref = ownerSessionRefOf(this.#options.keys, owner);
    for (;;) {
      await this.#ending.get(ref);
      const record = (await this.get(ref)) ?? (await this.#openFor(owner, ref));
      if (record && this.#known.has(ref)) return record;
      if (record) this.#admit(record, owner.subjectKey);
    }
  }

  /** The references of all sessions of this node. */
  refs(): readonly SessionRef[] {
    return [...this.#known.keys()];
  }

  /** Whether this node has a session. */
  has(ref: SessionRef): boolean {
    return this.#known.has(ref);
  }

  /** Finds the session of an id from outside. Time that has run out takes effect here at the latest. */
  async resolve(kind: IdKind, value: string): Promise<Resolution> {
    const id = parseSessionId(value);
    if (!id) return { state: 'unknown' };
    const ref = sessionRefOf(this.#options.keys, kind, id);
    const record = await this.get(ref);
    if (record) return { state: 'live', record };
    const reason = this.#tombstones.reasonOf(ref);
    return reason ? { state: 'ended', reason } : { state: 'unknown' };
  }

  /** A session as it stands now; `undefined` once it has ended. */
  async get(ref: SessionRef): Promise<SessionRecord | undefined> {
    for (;;) {
      const record = await this.#records.getAtOnce(ref);
      if (!record || !this.#dueNow(record)) return record;
      await this.#expire(record);
    }
  }

  /** Whether the client of a session is there. */
  presenceOf(ref: SessionRef): Presence {
    return this.#presence.of(ref);
  }

  /** Notes a request of the session's client. */
  async touch(ref: SessionRef): Promise<void> {
    this.#places.touch(ref);
    await this.#records.touch(ref);
  }

  /**
   * Changes a record, however many others change it at the same time: `change` is called again on the
   * newest state until its result fits.
   * @returns what was replaced by what, or `undefined` when there was nothing to change.
   * @throws SessionError `store_unavailable`
   */
  async update(ref: SessionRef, change: SessionChange): Promise<ChangedSession | undefined> {
    const changed = await this.#records.update(ref, change);
    if (changed) this.#noteChange(changed);
    return changed;
  }

  /** Aborts when the session is signed out or ends. */
  signalOf(ref: SessionRef): AbortSignal {
    if (!this.#known.has(ref)) return AbortSignal.abort(signedOut());
    return this.#signals.of(ref);
  }

  /**
   * Notes that a stream of the session's client is open.
   * @returns what to call when it is closed, saying who did it.
   */
  streamOpened(ref: SessionRef): (by: StreamCloser) => void {
    const session = this.#known.get(ref);
    if (!session) return () => undefined;
    this.#presence.streamOpened(ref);
    let open = true;
    return (by) => {
      // An owner's session comes again under the same reference, and the streams of the last one are none of its.
      if (!open || this.#known.get(ref) !== session) return;
      open = false;
      this.#presence.streamClosed(ref, by, this.#options.clock.now());
      void this.#reschedule(ref);
    };
  }

  /**
   * Notes that a request of the session is in flight: the client is present until its answer.
   * @returns a function to call when the request ends, with the side that ended it
   */
  requestBegan(ref: SessionRef): (by: StreamCloser) => void {
    const session = this.#known.get(ref);
    if (!session) return () => undefined;
    this.#presence.requestBegan(ref);
    let isUnderWay = true;
    return (by) => {
      if (!isUnderWay || this.#known.get(ref) !== session) return;
      isUnderWay = false;
      this.#presence.requestEnded(ref, by, this.#options.clock.now());
      if (session.isDeferred) void this.#reschedule(ref);
    };
  }

  /** Notes that the last client of a session has gone, in another way than by its streams. */
  clientLeft(ref: SessionRef): void {
    if (!this.#known.has(ref)) return;
    this.#presence.clientLeft(ref, this.#options.clock.now());
    void this.#reschedule(ref);
  }

  /**
   * Wipes every account of a session, which goes on as anonymous; one that is named by a handle ends.
   * The wipe is done when the first promise resolves; `revoked` waits for the providers.
   * @param isRight asked when it comes to it, about the session as it is then. Default: it is
   */
  async signOut(ref: SessionRef, reason: SignOutReason, isRight: IsRight = () => true): Promise<SignedOut> {
    const record = await this.#records.get(ref);
    if (record && hasHandle(record)) return isRight(record) ? this.end(ref, reason) : NOTHING_REVOKED;
    // The epoch moves on even if nobody is logged in: a login on its way must not be taken in after this.
    return this.#signOutIf(ref, reason, isRight);
  }

  /** Signs a session out, and its id is unknown from then on. */
  end(ref: SessionRef, reason: EndReason): Promise<SignedOut> {
    const ending = this.#end(ref, reason);
    const over = ending.then(ignore, ignore).then(() => {
      if (this.#ending.get(ref) === over) this.#ending.delete(ref);
    });
    this.#ending.set(ref, over);
    return ending;
  }

  /** Takes a session out without signing it out: its accounts are the caller's, to seal elsewhere or dispose of. */
  async retire(ref: SessionRef): Promise<SessionRecord | undefined> {
    const record = await this.#records.take(ref);
    this.#close(ref, 'replaced');
    return record;
  }

  async #end(ref: SessionRef, reason: EndReason): Promise<SignedOut> {
    const record = await this.#records.take(ref);
    this.#signals.abort(ref);
    const revoked = record ? this.#dispose(record) : Promise.resolve([]);
    this.#close(ref, reason);
    return { revoked };
  }

  /** Ends every session of this node. One that the store does not give up is reported and left. */
  async endAll(reason: EndReason): Promise<void> {
    const ends = this.refs().map((ref) => this.end(ref, reason));
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === 'rejected') this.#options.onError(end.reason);
    }
  }

  async #insert(
    kind: SessionKind,
    owner: string,
    clientKey: ClientKey | undefined,
  ): Promise<{ id: SessionId; record: SessionRecord }> {
    const { random, keys, clock } = this.#options;
    const id = mintSessionId(random);
    const ref = sessionRefOf(keys, hasHandle({ kind }) ? 'handle' : 'connection', id);
    const record = blankRecord(ref, kind, owner, clock.now());
    await this.#records.add(record);
    this.#admit(record, clientKey);
    return { id, record };
  }

  /** @returns `undefined` when somebody else was quicker. */
  #openFor(owner: Owner, ref: SessionRef): Promise<SessionRecord | undefined> {
    const opening =
      this.#opening.get(ref) ??
      this.#places.take(() => this.#insertFor(owner, ref)).finally(() => this.#opening.delete(ref));
    this.#opening.set(ref, opening);
    return opening;
  }

  async #insertFor(owner: Owner, ref: SessionRef): Promise<SessionRecord | undefined> {
    const { random, clock } = this.#options;
    const blank = blankRecord(ref, 'owner-session', owner.key, clock.now());
    // Its reference comes again after it has ended: what is late from before must not fit the new one.
    const record = { ...blank, epoch: random(5).readUIntBE(0, 5), generation: random(5).readUIntBE(0, 5) };
    if (!(await this.#records.addUnlessThere(record))) return undefined;
    this.#admit(record, owner.subjectKey);
    return record;
  }

  /** Takes a session into this node's books. @param quotaKey whom it counts for until somebody logs in */
  #admit(record: SessionRecord, quotaKey: string | undefined): void {
    const { ref, kind, version, epoch } = record;
    if (this.#known.has(ref)) return;
    this.#known.set(ref, { version, epoch, deadline: undefined, isDeferred: false });
    // A connection of somebody's goes when its owner's session has to make room.
    if (kind !== 'owned-connection' && !isSignedIn(record)) this.#places.anonymous(ref, quotaKey);
    this.#schedule(record);
    this.#options.events.emit({ type: 'session.started', ...snapshotOf(record), kind });
  }

  /** Signs a session out that goes on as anonymous, if that is still right when it comes to it. */
  async #signOutIf(ref: SessionRef, reason: SignOutReason, isRight: IsRight): Promise<SignedOut> {
    const changed = await this.update(ref, (current) => {
      if (!isRight(current)) return undefined;
      const epoch = current.epoch + 1;
      if (!isSignedIn(current)) return { epoch };
      return { epoch, accounts: {}, state: undefined, signedInAtMs: undefined, signedOut: reason };
    });
    if (!changed) return NOTHING_REVOKED;
    this.#signals.abort(ref);
    if (!isSignedIn(changed.before)) return NOTHING_REVOKED;
    const revoked = this.#dispose(changed.before);
    this.#options.events.emit({ type: 'session.signed_out', ...snapshotOf(changed.before), reason });
    return { revoked };
  }

  #dispose(record: SessionRecord): Promise<RevocationReport[]> {
    this.#options.disposal.wipeState(record);
    return this.#options.disposal.dispose(record, Object.values(record.accounts));
  }

  /** Forgets what this node knows of a session. Of several who end it, the first is heard. */
  #close(ref: SessionRef, reason: EndReason): void {
    const known = this.#known.get(ref);
    if (!known) return;
    known.deadline?.cancel();
    this.#known.delete(ref);
    this.#signals.abort(ref);
    this.#places.keep(ref);
    this.#presence.forget(ref);
    this.#tombstones.add(ref, reason);
    this.#options.events.emit({ type: 'session.ended', ref, epoch: known.epoch, reason });
  }

  #noteChange({ before, after }: ChangedSession): void {
    const known = this.#known.get(after.ref);
    if (!known || known.version > after.version) return;
    known.version = after.version;
    known.epoch = after.epoch;
    if (isSignedIn(after)) this.#places.keep(after.ref);
    else this.#places.signedOut(after.ref, lastAccountOf(before));
    this.#schedule(after);
  }

  #schedule(record: SessionRecord): void {
    const presence = this.#presence.of(record.ref);
    const known = this.#known.get(record.ref);
    if (known) known.isDeferred = presence.requests > 0;
    this.#scheduleAt(record.ref, nextDue(record, presence, this.#options.lifetimes).atMs);
  }

  #scheduleAt(ref: SessionRef, atMs: number): void {
    const known = this.#known.get(ref);
    if (!known) return;
    known.deadline?.cancel();
    known.deadline = this.#options.deadlines.at(atMs, () => void this.#reschedule(ref));
  }

  /** Looks at a session's time again: acts if it has run out, else waits for what is next. Never rejects. */
  async #reschedule(ref: SessionRef): Promise<void> {
    try {
      const record = await this.get(ref);
      if (record) this.#schedule(record);
    } catch (error) {
      this.#options.onError(error);
      this.#scheduleAt(ref, this.#options.clock.now() + RECHECK_MS);
    }
  }

  /** What the clock does to a session, unless something has happened since it was read. */
  async #expire(record: SessionRecord): Promise<void> {
    const { ref } = record;
    const due = this.#dueNow(record);
    if (!due) return;
    if (due.action === 'end' || hasHandle(record)) await this.end(ref, due.reason);
    else await this.#signOutIf(ref, due.reason, (current) => this.#dueNow(current)?.reason === due.reason);
  }

  #dueNow(record: SessionRecord): DueChange | undefined {
    const due = nextDue(record, this.#presence.of(record.ref), this.#options.lifetimes);
    return due.atMs <= this.#options.clock.now() ? due : undefined;
  }

  /** Ends a session for another one, unless somebody is quicker to log in to it. A later login is void. */
  async #evict(ref: SessionRef): Promise<void> {
    // `update` would note the new epoch, and the event of the end would name another session than that of the start.
    const voided = await this.#records.update(ref, (record) =>
      isSignedIn(record) ? undefined : { epoch: record.epoch + 1 },
    );
    if (voided) await this.end(ref, 'cap');
  }
}

function ignore(): void {
  // Whoever waits for an end does not care how it went.
}
