import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { type Owner, type OwnerIdentity, ownerOf, type SessionId, type SessionRef } from './ids.js';
import type { SessionEvents } from './session-events.js';
import type { EndReason, SessionRecord } from './session-record.js';
import type { SessionRegistry } from './session-registry.js';

export interface OwnerSessionsOptions {
  readonly keys: KeyHierarchy;
  readonly registry: SessionRegistry;
  readonly events: SessionEvents;
  /** Hears of a store that failed when nobody was waiting for it. */
  readonly onError: (error: unknown) => void;
}

/** How many connections one owner may have. */
const MOST_CONNECTIONS = 10;

/** Where clients say whom they come from: one session for each owner, shared by all of the owner's connections. */
export class OwnerSessions {
  readonly #options: OwnerSessionsOptions;
  /** The connections of each session, the longest idle first. */
  readonly #connections = new Map<SessionRef, Set<SessionRef>>();
  readonly #sessionOf = new Map<SessionRef, SessionRef>();
  /** Connections that are being ended to make room; their places are given away already. */
  readonly #leaving = new Set<SessionRef>();
  /** The sessions that one user has, through different clients. */
  readonly #bySubject = new Map<string, Set<SessionRef>>();
  readonly #subjectOf = new Map<SessionRef, string>();
  /** The same principal comes with every request of a token. */
  readonly #owners = new WeakMap<OwnerIdentity, Owner>();

  constructor(options: OwnerSessionsOptions) {
    this.#options = options;
    options.events.subscribe((event) => {
      if (event.type !== 'session.ended') return;
      this.#connectionEnded(event.ref);
      this.#sessionEnded(event.ref, event.reason);
    });
  }

  /** How many entries there are in its books. */
  get size(): number {
    const books = [this.#connections, this.#sessionOf, this.#leaving, this.#bySubject, this.#subjectOf];
    return books.reduce((size, book) => size + book.size, 0);
  }

  /** The session of an owner, which is there as soon as it is asked for. @throws SessionError `limit_reached` */
  async of(identity: OwnerIdentity): Promise<SessionRecord> {
    const owner = this.#ownerOf(identity);
    const record = await this.#options.registry.ofOwner(owner);
    this.#note(record.ref, owner.subjectKey);
    return record;
  }

  /**
   * Starts a connection of an owner's session, which counts as a request. If it is one too many, the one that has
   * been idle for longest ends.
   * @throws SessionError `limit_reached`, `store_unavailable`
   */
  async connect(session: SessionRecord): Promise<{ id: SessionId; record: SessionRecord }> {
    const { registry, onError } = this.#options;
    const started = await registry.start('owned-connection', session.owner);
    const { ref } = started.record;
    const connections = this.#connections.get(session.ref) ?? new Set();
    this.#connections.set(session.ref, connections.add(ref));
    this.#sessionOf.set(ref, session.ref);
    try {
      await Promise.all([this.#makeRoom(connections, ref), registry.touch(session.ref)]);
    } catch (error) {
      // Nobody will get to know its id.
      await registry.end(ref, 'cap').catch(onError);
      throw error;
    }
    // It may have ended meanwhile, and took only the connections along that it had.
    if (!registry.has(session.ref)) await registry.end(ref, 'cap');
    return started;
  }

  /** Whether a connection is one of an owner's. */
  isOwn(connection: SessionRecord, identity: OwnerIdentity): boolean {
    return connection.kind === 'owned-connection' && connection.owner === this.#ownerOf(identity).key;
  }

  /** Notes a request of a connection. */
  async touch(connection: SessionRef): Promise<void> {
    const { registry } = this.#options;
    const session = this.#sessionOf.get(connection);
    const others = session && this.#connections.get(session);
    if (others?.delete(connection)) others.add(connection);
    await Promise.all([registry.touch(connection), session && registry.touch(session)]);
  }

  /** The connections of an owner's session. */
  connectionsOf(session: SessionRef): readonly SessionRef[] {
    return [...(this.#connections.get(session) ?? [])];
  }

  /** The sessions that the user of this one has here, whatever the client; this one among them. */
  ofSameUser(session: SessionRef): readonly SessionRef[] {
    const subject = this.#subjectOf.get(session);
    const sessions = subject === undefined ? undefined : this.#bySubject.get(subject);
    return sessions ? [...sessions] : [session];
  }

  #ownerOf(identity: OwnerIdentity): Owner {
    const owner = this.#owners.get(identity) ?? ownerOf(this.#options.keys, identity);
    this.#owners.set(identity, owner);
    return owner;
  }

  /** Chooses within one tick which connection goes, so that no two choose the same. */
  async #makeRoom(connections: ReadonlySet<SessionRef>, started: SessionRef): Promise<void> {
    const { registry } = this.#options;
    const staying = [...connections].filter((ref) => !this.#leaving.has(ref));
    if (staying.length <= MOST_CONNECTIONS) return;
    // Whose client is listening is not idle.
    const isIdle = (ref: SessionRef) => ref !== started && registry.presenceOf(ref).openStreams === 0;
    const longestIdle = staying.find(isIdle) ?? staying[0];
    if (!longestIdle) return;
    this.#leaving.add(longestIdle);
    try {
      await registry.end(longestIdle, 'cap');
    } finally {
      this.#leaving.delete(longestIdle);
    }
  }

  #note(ref: SessionRef, subject: string): void {
    if (this.#subjectOf.has(ref) || !this.#options.registry.has(ref)) return;
    this.#subjectOf.set(ref, subject);
    this.#bySubject.set(subject, (this.#bySubject.get(subject) ?? new Set()).add(ref));
  }

  #connectionEnded(ref: SessionRef): void {
    const session = this.#sessionOf.get(ref);
    if (!session) return;
    this.#sessionOf.delete(ref);
    const others = this.#connections.get(session);
    others?.delete(ref);
    if (others?.size !== 0) return;
    this.#connections.delete(session);
    this.#options.registry.left(session);
  }

  #sessionEnded(ref: SessionRef, reason: EndReason): void {
    const { registry, onError } = this.#options;
    for (const connection of this.connectionsOf(ref)) registry.end(connection, reason).catch(onError);
    const subject = this.#subjectOf.get(ref);
    if (subject === undefined) return;
    this.#subjectOf.delete(ref);
    const sessions = this.#bySubject.get(subject);
    sessions?.delete(ref);
    if (sessions?.size === 0) this.#bySubject.delete(subject);
  }
}
