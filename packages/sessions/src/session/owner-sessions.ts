import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import { type Owner, type OwnerIdentity, ownerOf, type SessionId, type SessionRef } from './ids.js';
import type { InternalEvent } from './session-events.js';
import type { EndReason, SessionRecord } from './session-record.js';
import type { SessionRegistry } from './session-registry.js';

export interface OwnerSessionsOptions {
  readonly keys: KeyHierarchy;
  readonly registry: SessionRegistry;
  readonly random: RandomSource;
  /** Whether each connection has its own session. Default: false. */
  readonly hasSessionPerConnection?: boolean | undefined;
  /** Called with the errors of the store that no caller waits for. */
  readonly onError: (error: unknown) => void;
}

/**
 * The sessions of bearer access: one for each owner, shared by all of the owner's connections, or one for each
 * connection.
 */
export class OwnerSessions {
  readonly #options: OwnerSessionsOptions;
  /** The sessions of connections. */
  readonly #connections = new Map<SessionRef, SessionRef>();
  readonly #bySession = new Map<SessionRef, Set<SessionRef>>();
  readonly #ownerOfSession = new Map<SessionRef, Owner>();
  /** The sessions that one user has, through different clients. */
  readonly #bySubject = new Map<string, Set<SessionRef>>();
  /** Owners by principal: all requests with one token have the same principal. */
  readonly #owners = new WeakMap<OwnerIdentity, Owner>();

  constructor(options: OwnerSessionsOptions) {
    this.#options = options;
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
    if (event.type !== 'session.ended') return;
    this.#connectionEnded(event.ref, event.reason);
    this.#sessionEnded(event.ref, event.reason);
  }

  /** The number of entries in all maps, for tests of their bounds. */
  get size(): number {
    const collections = [this.#connections, this.#bySession, this.#ownerOfSession, this.#bySubject];
    return collections.reduce((size, collection) => size + collection.size, 0);
  }

  /**
   * The session of an owner. Creates it if it does not exist.
   * @throws SessionError `limit_reached`
   */
  async of(identity: OwnerIdentity): Promise<SessionRecord> {
    return this.#open(this.#ownerOf(identity));
  }

  /**
   * The session for a new connection.
   * @throws SessionError `limit_reached`
   */
  async ofNewConnection(identity: OwnerIdentity): Promise<SessionRecord> {
    const { keys, random, hasSessionPerConnection } = this.#options;
    if (!hasSessionPerConnection) return this.of(identity);
    return this.#open(ownerOf(keys, { ...identity, session: `connection ${randomToken(random)}` }));
  }

  /**
   * The session of a connection. It stays the same, even if later tokens name another `sessionClaim`.
   * @throws SessionError `limit_reached`
   */
  async ofConnection(connection: SessionRef, identity: OwnerIdentity): Promise<SessionRecord> {
    const session = this.#connections.get(connection);
    const owner = session && this.#ownerOfSession.get(session);
    return this.#open(owner ?? this.#ownerOf(identity));
  }

  /**
   * Starts a connection of an owner's session, which counts as a request. Above the maximum, the connection that is
   * idle longest ends. A connection that serves a call, or whose client keeps a stream open, is not idle.
   * @throws SessionError `limit_reached`, `store_unavailable`; `too_many_requests` if none of them is idle
   */
  async connect(session: SessionRecord): Promise<{ id: SessionId; record: SessionRecord }> {
    const { registry, hasSessionPerConnection, onError } = this.#options;
    const { clientKey } = this.#ownerOfSession.get(session.ref) ?? { clientKey: session.owner };
    const started = await registry.startConnection(clientKey, session.ref).catch(async (error: unknown) => {
      if (hasSessionPerConnection) await registry.end(session.ref, 'cap').catch(onError);
      throw error;
    });
    const { ref } = started.record;
    this.#connections.set(ref, session.ref);
    addTo(this.#bySession, session.ref, ref);
    // Another connection that was started since has taken its place.
    if (!(await registry.has(ref))) this.#connectionEnded(ref, 'cap');
    try {
      await registry.touch(session.ref);
    } catch (error) {
      // No client gets its id.
      await registry.end(ref, 'cap').catch(onError);
      throw error;
    }
    // The session may have ended in the meantime, with the connections that it had then.
    if (!(await registry.has(session.ref))) await registry.end(ref, 'cap');
    return started;
  }

  /** Whether a connection is one of an owner's. */
  isOwn(connection: SessionRecord, identity: OwnerIdentity): boolean {
    return connection.kind === 'owned-connection' && connection.owner === this.#ownerOf(identity).clientKey;
  }

  /** Notes a request of a connection. */
  async touch(connection: SessionRef): Promise<void> {
    const { registry } = this.#options;
    const session = this.#connections.get(connection);
    await Promise.all([registry.touch(connection), session && registry.touch(session)]);
  }

  /** The connections of an owner's session. */
  connectionsOf(session: SessionRef): readonly SessionRef[] {
    return [...(this.#bySession.get(session) ?? [])];
  }

  /** All sessions of the user of a session, through any client, including the session itself. */
  ofSameUser(session: SessionRef): readonly SessionRef[] {
    const owner = this.#ownerOfSession.get(session);
    const sessions = owner && this.#bySubject.get(owner.subjectKey);
    return sessions ? [...sessions] : [session];
  }

  async #open(owner: Owner): Promise<SessionRecord> {
    const record = await this.#options.registry.ofOwner(owner);
    await this.#note(record.ref, owner);
    return record;
  }

  #ownerOf(identity: OwnerIdentity): Owner {
    const owner = this.#owners.get(identity) ?? ownerOf(this.#options.keys, identity);
    this.#owners.set(identity, owner);
    return owner;
  }

  async #note(ref: SessionRef, owner: Owner): Promise<void> {
    if (this.#ownerOfSession.has(ref)) return;
    this.#ownerOfSession.set(ref, owner);
    addTo(this.#bySubject, owner.subjectKey, ref);
    // A session that has ended in the meantime emits no more events, so its entry would stay.
    if (!(await this.#options.registry.has(ref))) this.#forgetOwner(ref);
  }

  #connectionEnded(ref: SessionRef, reason: EndReason): void {
    const { registry, hasSessionPerConnection, onError } = this.#options;
    const session = this.#connections.get(ref);
    if (!session) return;
    this.#connections.delete(ref);
    removeFrom(this.#bySession, session, ref);
    if (this.#bySession.has(session)) return;
    if (hasSessionPerConnection) registry.end(session, reason).catch(onError);
    else registry.clientLeft(session);
  }

  #sessionEnded(ref: SessionRef, reason: EndReason): void {
    const { registry, onError } = this.#options;
    for (const connection of this.connectionsOf(ref)) registry.end(connection, reason).catch(onError);
    this.#forgetOwner(ref);
  }

  #forgetOwner(ref: SessionRef): void {
    const owner = this.#ownerOfSession.get(ref);
    if (!owner) return;
    this.#ownerOfSession.delete(ref);
    removeFrom(this.#bySubject, owner.subjectKey, ref);
  }
}

function addTo<Key>(groups: Map<Key, Set<SessionRef>>, key: Key, ref: SessionRef): void {
  groups.set(key, (groups.get(key) ?? new Set()).add(ref));
}

/** Removes a reference from its group, and an empty group from the map. */
function removeFrom<Key>(groups: Map<Key, Set<SessionRef>>, key: Key, ref: SessionRef): void {
  const group = groups.get(key);
  group?.delete(ref);
  if (group?.size === 0) groups.delete(key);
}
