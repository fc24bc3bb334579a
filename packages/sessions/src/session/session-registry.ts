import type { ClientKey } from '../limits/client-key.js';
import type { Clock } from '../time/clock.js';
import { andThen, type MaybePromise } from '../time/promises.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import type { RandomSource } from '../vault/random.js';
import type { SessionLimits } from './capacity/capacity.js';
import type { Disposal } from './disposal.js';
import type { DueSessions } from './due-sessions.js';
import { SessionExpiry } from './expiry.js';
import type { ChangeElsewhere } from './followed-session.js';
import type { IdKind, Owner, SessionRef } from './ids.js';
import type { Lifetimes } from './lifetimes.js';
import { LocalSessions } from './local-sessions.js';
import { type MintedSession, SessionMinting } from './minting.js';
import type { Presence, StreamCloser } from './presence.js';
import { refPages } from './ref-pages.js';
import { type Resolution, SessionResolving } from './resolving.js';
import type { SessionEvents } from './session-events.js';
import type { IndexKey } from './session-index.js';
import type { SessionMessages } from './session-messages.js';
import {
  type EndReason,
  type SessionKind,
  type SessionRecord,
  type SessionSnapshot,
  type SignOutReason,
  snapshotOf,
} from './session-record.js';
import {
  type ChangedSession,
  type ChangeOptions,
  type SessionChange,
  SessionRecords,
} from './session-records.js';
import type { SessionStore } from './session-store.js';
import { type EndFollower, type RecordCondition, type SignedOut, SignOut } from './sign-out.js';

export type { Resolution } from './resolving.js';

export interface SessionRegistryOptions {
  readonly store: SessionStore;
  /** Runs what is due for sessions. The registry adds the lifetimes to it. */
  readonly due: DueSessions;
  readonly keys: KeyHierarchy;
  readonly random: RandomSource;
  readonly clock: Clock;
  readonly lifetimes: Lifetimes;
  readonly events: SessionEvents;
  readonly disposal: Disposal;
  readonly limits: SessionLimits;
  /** Absent if no other node can change sessions. */
  readonly messages?: SessionMessages | undefined;
  /** Called with the errors of the store that no caller waits for. */
  readonly onError: (error: unknown) => void;
}

/**
 * Sessions: creates and resolves them, signs them out and ends them, on request or when a lifetime ends. Keeps nothing
 * itself: what is known of a session is in its record.
 */
export class SessionRegistry {
  readonly #store: SessionStore;
  readonly #local: LocalSessions;
  readonly #minting: SessionMinting;
  readonly #resolving: SessionResolving;
  readonly #signOut: SignOut;

  constructor(options: SessionRegistryOptions) {
    const { store, due, events } = options;
    const records = new SessionRecords({ ...options, dueAtMsOf: (record) => due.next(record) });
    const local = new LocalSessions(options);
    const signOut = new SignOut({ ...options, records, local });
    const expiry = new SessionExpiry({ ...options, local, signOut });
    due.add(expiry);
    local.onAbsent = (ref) => void expiry.recheck(ref);
    this.#store = store;
    this.#local = local;
    this.#signOut = signOut;
    this.#resolving = new SessionResolving({ ...options, local, expiry });
    this.#minting = new SessionMinting({
      ...options,
      records,
      get: (ref) => this.get(ref),
      onStarted: (record) =>
        events.emit({ type: 'session.started', ...snapshotOf(record), kind: record.kind }),
      onEvicted: (record) => void signOut.ended(record, 'cap'),
    });
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
    return this.#minting.ofOwner(owner, (ref) => this.get(ref));
  }

  /** Like `ofOwner`, for a request of the owner, which is noted. */
  visitOwner(owner: Owner): Promise<SessionRecord> {
    return this.#minting.ofOwner(owner, (ref) => this.visit(ref));
  }

  /** The references of all sessions, in pages between which the event loop continues. */
  refs(): AsyncIterable<readonly SessionRef[]> {
    return refPages(this.#store);
  }

  /** The references of the sessions with an index key, in the order in which they got it. */
  refsOf(key: IndexKey): MaybePromise<readonly SessionRef[]> {
    return this.#store.refsOf(key);
  }

  /** Whether a session exists. */
  has(ref: SessionRef): MaybePromise<boolean> {
    return andThen(this.#store.get(ref), (record) => record !== undefined);
  }

  /** Finds the session that an id names. Applies lifetimes that have ended. */
  resolve(kind: IdKind, value: string): MaybePromise<Resolution> {
    return this.#resolving.resolve(kind, value);
  }

  /** Finds the session that an id of a request names, and notes the request. Applies lifetimes that have ended. */
  resolveRequest(kind: IdKind, value: string): MaybePromise<Resolution> {
    return this.#resolving.resolveRequest(kind, value);
  }

  /** The current record of a session; `undefined` after its end. Applies lifetimes that have ended. */
  get(ref: SessionRef): MaybePromise<SessionRecord | undefined> {
    return this.#resolving.get(ref);
  }

  /** The current record of a session whose client has sent a request, which is noted. Otherwise like `get`. */
  visit(ref: SessionRef): MaybePromise<SessionRecord | undefined> {
    return this.#resolving.visit(ref);
  }

  /** Notes a request of the session's client that has been served. */
  async touch(ref: SessionRef): Promise<void> {
    await this.#resolving.touch(ref);
  }

  /**
   * Changes a record. If another change comes first, calls `change` again with the newest record. A change that raises
   * the epoch signs out the previous user, because another one logs in (`signOutOf`).
   * @returns the record before and after; `undefined` if there is no record, or `change` returned `undefined`
   * @throws SessionError `store_unavailable`
   */
  update(
    ref: SessionRef,
    change: SessionChange,
    options?: ChangeOptions,
  ): Promise<ChangedSession | undefined> {
    return this.#signOut.update(ref, change, options);
  }

  /** The open streams and requests of a session's client in this process. */
  presenceOf(ref: SessionRef): Presence {
    return this.#local.presenceOf(ref);
  }

  /** The sessions whose clients are present in this process. */
  presentRefs(): readonly SessionRef[] {
    return this.#local.presentRefs();
  }

  /**
   * Aborts when the session is signed out or ends. Follow it with `onAbort` in the same tick: it is forgotten when its
   * last follower has stopped.
   */
  signalOf(snapshot: SessionSnapshot): AbortSignal {
    return this.#local.signalOf(snapshot);
  }

  /** Whether a session that this process keeps something of is known to have been signed out since. */
  isOver(snapshot: SessionSnapshot): boolean {
    return this.#local.isOver(snapshot);
  }

  /**
   * Notes that a stream of the session's client is open.
   * @returns a function to call when the stream closes, with the side that closed it
   */
  streamOpened(ref: SessionRef): (by: StreamCloser) => void {
    return this.#local.streamOpened(ref);
  }

  /**
   * Notes that a request of the session is in flight: the client is present until its answer.
   * @returns a function to call when the request ends, with the side that ended it
   */
  requestBegan(ref: SessionRef): (by: StreamCloser) => void {
    return this.#local.requestBegan(ref);
  }

  /**
   * Follows the changes of a session by other nodes while this process keeps something of it.
   * @returns a function to call when this process keeps nothing of it any more
   */
  hold(ref: SessionRef): () => void {
    return this.#local.hold(ref);
  }

  /** Calls `run` when another node has changed a session that this process keeps something of, in place of an event. */
  onChangedElsewhere(run: (change: ChangeElsewhere) => void): void {
    this.#local.onChangedElsewhere = run;
  }

  /** Follows no changes of other nodes any more. */
  stopFollowing(): void {
    this.#local.stop();
  }

  /** Notes that the last client of a session has disconnected in another way than by closing its streams. */
  clientLeft(ref: SessionRef): void {
    this.#local.clientLeft(ref);
  }

  /** The number of sessions that this process keeps something of besides their records. */
  get localSize(): number {
    return this.#local.size;
  }

  /** Calls `run` with the record of each session that has ended, after the event `session.ended`. */
  onEnded(run: EndFollower): void {
    this.#signOut.onEnded(run);
  }

  /**
   * Wipes every account of a session. A session with a handle ends; others continue without a login. Resolves when the
   * accounts are wiped; `revoked` waits for the providers.
   * @param condition checked against the newest record. Default: no condition
   */
  signOut(
    ref: SessionRef,
    reason: SignOutReason,
    condition: RecordCondition = () => true,
  ): Promise<SignedOut> {
    return this.#signOut.signOut(ref, reason, condition);
  }

  /** Signs a session out and removes it. From then on, its id resolves to the reason for a while, then to nothing. */
  end(ref: SessionRef, reason: EndReason): Promise<SignedOut> {
    return this.#signOut.end(ref, reason);
  }

  /**
   * Removes a session without a sign-out. The caller seals its accounts for another session, or disposes of them.
   * @returns its record, in the same tick if the store answers at once
   */
  retire(ref: SessionRef): MaybePromise<SessionRecord | undefined> {
    return this.#signOut.retire(ref);
  }

  /** Ends every session. Errors of the store are reported, and those sessions remain. */
  endAll(reason: EndReason): Promise<void> {
    return this.#signOut.endAll(reason);
  }
}
