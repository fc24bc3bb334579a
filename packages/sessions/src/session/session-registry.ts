import { signedOut } from '../errors.js';
import type { ClientKey } from '../limits/client-key.js';
import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';
import type { MaybePromise } from '../time/promises.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import type { RandomSource } from '../vault/random.js';
import type { SessionLimits } from './capacity/capacity.js';
import type { Disposal, RevocationReport } from './disposal.js';
import { type IdKind, type Owner, parseSessionId, type SessionRef, sessionRefOf } from './ids.js';
import { type DueChange, type Lifetimes, nextDue } from './lifetimes.js';
import { type MintedSession, SessionMinting } from './minting.js';
import { type Presence, SessionPresence, type StreamCloser } from './presence.js';
import type { SessionEvents } from './session-events.js';
import {
  type EndReason,
  hasHandle,
  isSignedIn,
  type SessionKind,
  type SessionRecord,
  type SessionSnapshot,
  type SignOutReason,
  signOutOf,
  snapshotOf,
} from './session-record.js';
import { type ChangedSession, type SessionChange, SessionRecords } from './session-records.js';
import { SessionSignals } from './session-signals.js';
import type { SessionStore } from './session-store.js';

export interface SessionRegistryOptions {
  readonly store: SessionStore;
  /** When a session is due. Default: never. */
  readonly dueAtMsOf?: (record: SessionRecord) => number;
  readonly keys: KeyHierarchy;
  readonly random: RandomSource;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly lifetimes: Lifetimes;
  readonly events: SessionEvents;
  readonly disposal: Disposal;
  readonly limits: SessionLimits;
  /** Called with the errors of the store that no caller waits for. */
  readonly onError: (error: unknown) => void;
}

/** The session that an id of a request names. */
export type Resolution =
  | { readonly state: 'live'; readonly record: SessionRecord }
  | { readonly state: 'ended'; readonly reason: EndReason }
  | { readonly state: 'unknown' };

/** The result of a sign-out or an end. `revoked` resolves when the providers have answered. */
interface SignedOut {
  /** Whether this call has changed the session. */
  readonly isDone: boolean;
  readonly revoked: Promise<RevocationReport[]>;
}

type EndFollower = (record: SessionRecord, reason: EndReason) => void;
type RecordCondition = (record: SessionRecord) => boolean;

/** Data of a session on this node, besides its record. */
interface LocalSession {
  /** The newest version that this node has read: replies of the store can be late. */
  version: number;
  epoch: number;
  deadline: Deadline | undefined;
  /** Whether a request in flight has extended the deadline. */
  isDeferred: boolean;
}

const NOTHING_REVOKED: SignedOut = { isDone: false, revoked: Promise.resolve([]) };
/** The delay before the deadline of a session is checked again after an error of the store. */
const RECHECK_MS = 1000;

/**
 * The sessions of this node: creates and resolves them, signs them out and ends them, on request or when a lifetime
 * ends.
 */
export class SessionRegistry {
  readonly #options: SessionRegistryOptions;
  readonly #records: SessionRecords;
  readonly #presence = new SessionPresence();
  readonly #known = new Map<SessionRef, LocalSession>();
  readonly #signals = new SessionSignals();
  readonly #followers: EndFollower[] = [];
  readonly #minting: SessionMinting;
  /** Sessions that are ending. A session with the same reference is created after that. */
  readonly #ending = new Map<SessionRef, Promise<void>>();

  constructor(options: SessionRegistryOptions) {
    this.#options = options;
    this.#records = new SessionRecords({ dueAtMsOf: () => Number.POSITIVE_INFINITY, ...options });
    this.#minting = new SessionMinting({
      ...options,
      records: this.#records,
      get: (ref) => this.#getOfOwner(ref),
      onStarted: (record) => this.#admit(record),
      onEvicted: (record) => {
        this.#signals.abort(record.ref);
        this.#close(record.ref, 'cap', record);
      },
    });
  }

  /** The number of sessions of this node. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * Creates a session with a new random id. The server does not keep the id.
   * @param clientKey the address that the session counts for until a user logs in; absent: none
   * @throws SessionError `limit_reached` if the node is full and all sessions have a login, `too_many_requests` if the
   * address has the maximum
   */
  async start(kind: SessionKind, owner: string, clientKey?: ClientKey): Promise<MintedSession> {
    return this.#minting.start(kind, owner, () => ({ quotaKey: clientKey ?? '' }));
  }

  /**
   * Creates a connection of an owner's session.
   * @param clientKey the user and client that it counts for
   * @throws SessionError `limit_reached` as `start`; `too_many_requests` if the client has the maximum, and none is idle
   */
  async startConnection(clientKey: string, session: SessionRef): Promise<MintedSession> {
    return this.#minting.start('owned-connection', clientKey, () => ({ quotaKey: clientKey, session }));
  }

  /**
   * Creates a session with accounts that were in another one.
   * @param fieldsOf the accounts, sealed for the new session, and what belongs to them; called at once
   * @returns the session, in the same tick if the store answers at once
   * @throws SessionError as `start`
   */
  startWith(
    kind: SessionKind,
    owner: string,
    fieldsOf: (blank: SessionRecord) => Partial<SessionRecord>,
  ): MaybePromise<MintedSession> {
    return this.#minting.start(kind, owner, fieldsOf);
  }

  /**
   * The session of an owner. Creates it if it does not exist.
   * @throws SessionError `limit_reached` as `start`
   */
  ofOwner(owner: Owner): Promise<SessionRecord> {
    return this.#minting.ofOwner(owner);
  }

  /** The references of all sessions of this node. */
  refs(): readonly SessionRef[] {
    return [...this.#known.keys()];
  }

  /** Whether this node has a session. */
  has(ref: SessionRef): boolean {
    return this.#known.has(ref);
  }

  /** Finds the session that an id of a request names. Applies lifetimes that have ended. */
  async resolve(kind: IdKind, value: string): Promise<Resolution> {
    const id = parseSessionId(value);
    if (!id) return { state: 'unknown' };
    const ref = sessionRefOf(this.#options.keys, kind, id);
    const record = await this.get(ref);
    if (record) return { state: 'live', record };
    const reason = await this.#options.store.endReasonOf(ref);
    return reason ? { state: 'ended', reason } : { state: 'unknown' };
  }

  /** The current record of a session; `undefined` after its end. Applies lifetimes that have ended. */
  async get(ref: SessionRef): Promise<SessionRecord | undefined> {
    for (;;) {
      const record = await this.#records.getAtOnce(ref);
      if (!record || !this.#dueNow(record)) return record;
      await this.#expire(record);
    }
  }

  /** The open streams and requests of a session's client. */
  presenceOf(ref: SessionRef): Presence {
    return this.#presence.of(ref);
  }

  /** Calls `run` with the record of each session that has ended, after the event `session.ended`. */
  onEnded(run: EndFollower): void {
    this.#followers.push(run);
  }

  /** Notes a request of the session's client. */
  async touch(ref: SessionRef): Promise<void> {
    await this.#records.touch(ref);
  }

  /**
   * Changes a record. If another change comes first, calls `change` again with the newest record. A change that raises
   * the epoch signs out the previous user, because another one logs in (`signOutOf`).
   * @returns the record before and after; `undefined` if there is no record, or `change` returned `undefined`
   * @throws SessionError `store_unavailable`
   */
  async update(ref: SessionRef, change: SessionChange): Promise<ChangedSession | undefined> {
    const changed = await this.#change(ref, change);
    if (changed && changed.after.epoch !== changed.before.epoch) this.#signedOut(changed, 'other_user');
    return changed;
  }

  /** Aborts when the session is signed out or ends. */
  signalOf(snapshot: SessionSnapshot): AbortSignal {
    const known = this.#known.get(snapshot.ref);
    if (!known || known.epoch > snapshot.epoch) return AbortSignal.abort(signedOut());
    return this.#signals.of(snapshot);
  }

  /**
   * Notes that a stream of the session's client is open.
   * @returns a function to call when the stream closes, with the side that closed it
   */
  streamOpened(ref: SessionRef): (by: StreamCloser) => void {
    const session = this.#known.get(ref);
    if (!session) return () => undefined;
    this.#presence.streamOpened(ref);
    let open = true;
    return (by) => {
      // A new session of the same owner has the same reference. Streams of the old one do not count for it.
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
    let isInFlight = true;
    return (by) => {
      if (!isInFlight || this.#known.get(ref) !== session) return;
      isInFlight = false;
      this.#presence.requestEnded(ref, by, this.#options.clock.now());
      if (session.isDeferred) void this.#reschedule(ref);
    };
  }

  /** Notes that the last client of a session has disconnected in another way than by closing its streams. */
  clientLeft(ref: SessionRef): void {
    if (!this.#known.has(ref)) return;
    this.#presence.clientLeft(ref, this.#options.clock.now());
    void this.#reschedule(ref);
  }

  /**
   * Wipes every account of a session. A session with a handle ends; others continue without a login. Resolves when the
   * accounts are wiped; `revoked` waits for the providers.
   * @param condition checked against the newest record. Default: no condition
   */
  async signOut(
    ref: SessionRef,
    reason: SignOutReason,
    condition: RecordCondition = () => true,
  ): Promise<SignedOut> {
    const record = await this.#records.get(ref);
    if (record && hasHandle(record)) return condition(record) ? this.end(ref, reason) : NOTHING_REVOKED;
    // The epoch increases also without a login, so that a pending login cannot complete afterwards.
    return this.#signOutIf(ref, reason, condition);
  }

  /** Signs a session out and removes it. From then on, its id resolves to the reason for a while, then to nothing. */
  end(ref: SessionRef, reason: EndReason): Promise<SignedOut> {
    const ending = this.#end(ref, reason);
    const over = ending.then(ignore, ignore).then(() => {
      if (this.#ending.get(ref) === over) this.#ending.delete(ref);
    });
    this.#ending.set(ref, over);
    return ending;
  }

  /** Removes a session without a sign-out. The caller seals its accounts for another session, or disposes of them. */
  async retire(ref: SessionRef): Promise<SessionRecord | undefined> {
    const record = await this.#records.take(ref, 'replaced');
    this.#close(ref, 'replaced', record);
    return record;
  }

  async #end(ref: SessionRef, reason: EndReason): Promise<SignedOut> {
    const record = await this.#records.take(ref, reason);
    this.#signals.abort(ref);
    const revoked = record ? this.#dispose(record) : Promise.resolve([]);
    this.#close(ref, reason, record);
    return { isDone: record !== undefined, revoked };
  }

  /** Ends every session of this node. Errors of the store are reported, and those sessions remain. */
  async endAll(reason: EndReason): Promise<void> {
    const ends = this.refs().map((ref) => this.end(ref, reason));
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === 'rejected') this.#options.onError(end.reason);
    }
  }

  async #getOfOwner(ref: SessionRef): Promise<SessionRecord | undefined> {
    await this.#ending.get(ref);
    const record = await this.get(ref);
    if (record) this.#admit(record);
    return record;
  }

  /** Adds a session to this node. */
  #admit(record: SessionRecord): void {
    const { ref, kind, version, epoch } = record;
    if (this.#known.has(ref)) return;
    this.#known.set(ref, { version, epoch, deadline: undefined, isDeferred: false });
    this.#schedule(record);
    this.#options.events.emit({ type: 'session.started', ...snapshotOf(record), kind });
  }

  /** Signs a session out if the condition holds for the newest record. */
  async #signOutIf(ref: SessionRef, reason: SignOutReason, condition: RecordCondition): Promise<SignedOut> {
    const changed = await this.#change(ref, (current) => {
      if (!condition(current)) return undefined;
      if (!isSignedIn(current)) return { epoch: current.epoch + 1 };
      return { ...signOutOf(current), signedOut: reason };
    });
    return changed ? this.#signedOut(changed, reason) : NOTHING_REVOKED;
  }

  /** Aborts, wipes and revokes what belongs to the epoch before a sign-out. */
  #signedOut({ before }: ChangedSession, reason: SignOutReason): SignedOut {
    this.#signals.abort(before.ref, this.#known.get(before.ref)?.epoch);
    if (!isSignedIn(before)) return { ...NOTHING_REVOKED, isDone: true };
    const revoked = this.#dispose(before);
    this.#options.events.emit({ type: 'session.signed_out', ...snapshotOf(before), reason });
    return { isDone: true, revoked };
  }

  async #change(ref: SessionRef, change: SessionChange): Promise<ChangedSession | undefined> {
    const changed = await this.#records.update(ref, change);
    if (changed) this.#noteChange(changed);
    return changed;
  }

  #dispose(record: SessionRecord): Promise<RevocationReport[]> {
    this.#options.disposal.wipeState(record);
    return this.#options.disposal.dispose(record, Object.values(record.accounts));
  }

  /** Removes a session from this node. If several calls end it, only the first emits the event. */
  #close(ref: SessionRef, reason: EndReason, record: SessionRecord | undefined): void {
    const known = this.#known.get(ref);
    if (!known) return;
    known.deadline?.cancel();
    this.#known.delete(ref);
    this.#signals.abort(ref);
    this.#presence.forget(ref);
    this.#options.events.emit({ type: 'session.ended', ref, epoch: known.epoch, reason });
    if (record) for (const follow of this.#followers) follow(record, reason);
  }

  #noteChange({ after }: ChangedSession): void {
    const known = this.#known.get(after.ref);
    if (!known || known.version > after.version) return;
    known.version = after.version;
    known.epoch = after.epoch;
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

  /** Applies a lifetime that has ended, else schedules the next check. Never rejects. */
  async #reschedule(ref: SessionRef): Promise<void> {
    try {
      const record = await this.get(ref);
      if (record) this.#schedule(record);
    } catch (error) {
      this.#options.onError(error);
      this.#scheduleAt(ref, this.#options.clock.now() + RECHECK_MS);
    }
  }

  /** Applies a lifetime that has ended, unless the session has changed since it was read. */
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
}

function ignore(): void {
  // Callers that wait for the end do not need its result.
}
