import { signedOut } from '../errors.js';
import type { Clock } from '../time/clock.js';
import { onUnfollowed } from '../time/on-abort.js';
import { andThen, type MaybePromise } from '../time/promises.js';
import { ChangedSessions } from './changed-sessions.js';
import { type ChangeElsewhere, FollowedSession } from './followed-session.js';
import type { SessionRef } from './ids.js';
import {
  ABSENT,
  clientLeft,
  isPresent,
  type Presence,
  requestBegan,
  requestEnded,
  type StreamCloser,
  streamClosed,
  streamOpened,
} from './presence.js';
import type { SessionMessages } from './session-messages.js';
import type { SessionRecord, SessionSnapshot } from './session-record.js';
import type { SessionStore } from './session-store.js';

export interface LocalSessionsOptions {
  readonly store: Pick<SessionStore, 'get'>;
  readonly clock: Clock;
  /** Absent if no other node can change a session. */
  readonly messages?: Pick<SessionMessages, 'subscribe'> | undefined;
  /** Called with the errors of the store. */
  readonly onError: (error: unknown) => void;
}

/** What this process keeps of a session. */
interface LocalSession {
  /** The highest epoch that this process knows of. Signals of lower ones are aborted. */
  epoch: number;
  presence: Presence;
  /** When the client became present last. Its record has the time of a request of then. */
  presentSinceMs: number;
  /** The due time was chosen while a request was in flight. */
  isDeferred: boolean;
  /** Of the highest epoch. */
  abort: AbortController | undefined;
  /** Absent if no other node can change the session. */
  followed: FollowedSession | undefined;
}

/** The time by which a client may seem to have been absent longer than it is. */
const MAX_FORGOTTEN_MS = 1000;

/** Lower than any epoch of a record. */
const UNKNOWN_EPOCH = -1;

/**
 * What this process keeps of sessions: their open streams, requests in flight and abort signals. It is a cache: an entry
 * is made when one of them is needed, and compared with the record then. It is forgotten with the last of them, unless it
 * says more than the record: that the client has disconnected, or was present for long. No entry decides whether a
 * session exists.
 */
export class LocalSessions {
  /** Called when a client has become absent, so that a lifetime may end earlier. */
  onAbsent: (ref: SessionRef) => void = () => undefined;
  /** Called when another node has changed a session that this process keeps something of. What ran for it is aborted. */
  onChangedElsewhere: (change: ChangeElsewhere) => void = () => undefined;
  readonly #options: LocalSessionsOptions;
  readonly #entries = new Map<SessionRef, LocalSession>();
  readonly #changed: ChangedSessions;

  constructor(options: LocalSessionsOptions) {
    this.#options = options;
    this.#changed = new ChangedSessions({ ...options, read: (ref) => this.#readAgain(ref) });
  }

  /** Follows no changes of other nodes any more. */
  stop(): void {
    this.#changed.stop();
  }

  /** The number of sessions that this process keeps something of. */
  get size(): number {
    return this.#entries.size;
  }

  /** The open streams and requests of a session's client. */
  presenceOf(ref: SessionRef): Presence {
    return this.#entries.get(ref)?.presence ?? ABSENT;
  }

  isPresent(ref: SessionRef): boolean {
    return isPresent(this.presenceOf(ref));
  }

  /** The sessions whose clients are present in this process. */
  presentRefs(): readonly SessionRef[] {
    return [...this.#entries].flatMap(([ref, { presence }]) => (isPresent(presence) ? ref : []));
  }

  hasDisconnected(ref: SessionRef): boolean {
    return this.presenceOf(ref).disconnectedAtMs !== undefined;
  }

  /**
   * Notes that a stream of the session's client is open.
   * @returns a function to call when the stream closes, with the side that closed it
   */
  streamOpened(ref: SessionRef): (by: StreamCloser) => void {
    const entry = this.#entryOf(ref);
    this.#present(entry);
    entry.presence = streamOpened(entry.presence);
    return this.#once(ref, entry, (by) => {
      entry.presence = streamClosed(entry.presence, by, this.#options.clock.now());
      this.onAbsent(ref);
      this.#forgetIdle(ref, entry);
    });
  }

  /**
   * Notes that a request of the session is in flight: the client is present until its answer.
   * @returns a function to call when the request ends, with the side that ended it
   */
  requestBegan(ref: SessionRef): (by: StreamCloser) => void {
    const entry = this.#entryOf(ref);
    this.#present(entry);
    entry.presence = requestBegan(entry.presence);
    return this.#once(ref, entry, (by) => {
      entry.presence = requestEnded(entry.presence, by, this.#options.clock.now());
      if (entry.isDeferred) this.onAbsent(ref);
      this.#forgetIdle(ref, entry);
    });
  }

  /** Notes that the last client of a session has disconnected in another way than by closing its streams. */
  clientLeft(ref: SessionRef): void {
    const entry = this.#entryOf(ref);
    entry.presence = clientLeft(entry.presence, this.#options.clock.now());
    if (this.#entries.get(ref) === entry) this.onAbsent(ref);
  }

  /** Notes that a due time was chosen for the presence as it is now. */
  dueTimeChosen(ref: SessionRef): void {
    const entry = this.#entries.get(ref);
    if (entry) entry.isDeferred = entry.presence.requests > 0;
  }

  /**
   * Aborts when the session is signed out or ends. Follow it with `onAbort` in the same tick: it is forgotten when its
   * last follower has stopped.
   */
  signalOf({ ref, epoch }: SessionSnapshot): AbortSignal {
    const entry = this.#entryOf(ref);
    // A record had that epoch, so that earlier ones are over.
    raise(entry, epoch);
    if (this.#entries.get(ref) !== entry || entry.epoch > epoch) return AbortSignal.abort(signedOut());
    entry.abort ??= this.#abortOf(ref, entry);
    return entry.abort.signal;
  }

  /** Whether a session is known here to have been signed out since. */
  isOver({ ref, epoch }: SessionSnapshot): boolean {
    return (this.#entries.get(ref)?.epoch ?? UNKNOWN_EPOCH) > epoch;
  }

  /**
   * Follows the changes of a session by other nodes while another part of this process keeps something of it.
   * @returns a function to call when that part keeps nothing of it any more
   */
  hold(ref: SessionRef): () => void {
    if (!this.#options.messages) return NOTHING_HELD;
    const entry = this.#entryOf(ref);
    const { followed } = entry;
    if (!followed) return NOTHING_HELD;
    followed.holds++;
    const release = this.#once(ref, entry, () => {
      followed.holds--;
      this.#forgetIdle(ref, entry);
    });
    return () => release('server');
  }

  /** Notes a change by this process. Aborts the signals of earlier epochs. */
  changed(after: SessionRecord): void {
    const entry = this.#entries.get(after.ref);
    if (entry) note(entry, after);
  }

  /** Aborts the signals of a session that has ended, and keeps nothing of it. A later epoch is kept. */
  forget({ ref, epoch }: SessionSnapshot): void {
    const entry = this.#entries.get(ref);
    if (entry && entry.epoch <= epoch) this.#forget(ref, entry);
  }

  /**
   * Reads a record. If there is none, forgets what this process kept of the session when the read began: a new session
   * of the same owner may have begun since.
   */
  read(
    ref: SessionRef,
    from: () => MaybePromise<SessionRecord | undefined>,
  ): MaybePromise<SessionRecord | undefined> {
    const entry = this.#entries.get(ref);
    if (!entry) return from();
    return andThen(from(), (record) => {
      if (!record) this.#endedElsewhere(ref, entry);
      return record;
    });
  }

  /** Notes that a session is gone. If nodes share sessions, another node has ended it. */
  #endedElsewhere(ref: SessionRef, entry: LocalSession): void {
    if (this.#entries.get(ref) !== entry) return;
    const { epoch, followed } = entry;
    this.#forget(ref, entry);
    if (followed) this.onChangedElsewhere({ type: 'session.ended', ref, epoch });
  }

  /** Reads a session that another node may have changed. @throws what the store throws */
  async #readAgain(ref: SessionRef): Promise<void> {
    const entry = this.#entries.get(ref);
    if (!entry?.followed) return;
    const record = await this.#options.store.get(ref);
    if (this.#entries.get(ref) !== entry) return;
    const type = entry.followed.changeTo(record);
    if (!record || type === 'session.ended') return this.#endedElsewhere(ref, entry);
    const { epoch } = entry;
    note(entry, record);
    this.onChangedElsewhere({ type, ref, epoch });
  }

  #abortOf(ref: SessionRef, entry: LocalSession): AbortController {
    const abort = new AbortController();
    onUnfollowed(abort.signal, () => {
      // Another session of the same owner may have begun, or another epoch.
      if (entry.abort !== abort) return;
      entry.abort = undefined;
      this.#forgetIdle(ref, entry);
    });
    return abort;
  }

  #present(entry: LocalSession): void {
    if (!isPresent(entry.presence)) entry.presentSinceMs = this.#options.clock.now();
  }

  /** Forgets an entry that nothing needs. A million sessions that once had a request would be a million entries. */
  #forgetIdle(ref: SessionRef, entry: LocalSession): void {
    const { presence, presentSinceMs, abort } = entry;
    const { presentUntilMs = 0, disconnectedAtMs } = presence;
    if (isPresent(presence) || disconnectedAtMs !== undefined || abort || entry.followed?.holds) return;
    if (presentUntilMs - presentSinceMs < MAX_FORGOTTEN_MS) this.#forget(ref, entry);
  }

  #forget(ref: SessionRef, entry: LocalSession): void {
    if (this.#entries.get(ref) !== entry) return;
    this.#entries.delete(ref);
    entry.followed?.unfollow();
    raise(entry, Number.POSITIVE_INFINITY);
  }

  /** The entry of a session. If there is none, makes one; if the store has no record, it is not kept. */
  #entryOf(ref: SessionRef): LocalSession {
    const known = this.#entries.get(ref);
    if (known) return known;
    const entry: LocalSession = {
      epoch: UNKNOWN_EPOCH,
      presence: ABSENT,
      presentSinceMs: 0,
      isDeferred: false,
      abort: undefined,
      // Before the read: a change after it is a message.
      followed: this.#follow(ref),
    };
    this.#entries.set(ref, entry);
    const verified = andThen(
      this.read(ref, () => this.#options.store.get(ref)),
      (record) => record && note(entry, record),
    );
    if (verified instanceof Promise) verified.catch(this.#options.onError);
    return entry;
  }

  #follow(ref: SessionRef): FollowedSession | undefined {
    const unfollow = this.#options.messages?.subscribe(ref, () => this.#changed.add(ref));
    return unfollow && new FollowedSession(unfollow);
  }

  /** A new session of the same owner has the same reference. What belongs to the old one does not count for it. */
  #once(ref: SessionRef, entry: LocalSession, run: (by: StreamCloser) => void): (by: StreamCloser) => void {
    let isOpen = true;
    return (by) => {
      if (!isOpen || this.#entries.get(ref) !== entry) return;
      isOpen = false;
      run(by);
    };
  }
}

/** What ends a hold of a session that no other node changes. */
export const NOTHING_HELD: () => void = () => undefined;

/** Notes what a record says: that earlier epochs are over. */
function note(entry: LocalSession, record: SessionRecord): void {
  entry.followed?.note(record);
  raise(entry, record.epoch);
}

/** Aborts the signals below an epoch. */
function raise(entry: LocalSession, epoch: number): void {
  if (entry.epoch >= epoch) return;
  entry.epoch = epoch;
  const { abort } = entry;
  entry.abort = undefined;
  abort?.abort(signedOut());
}
