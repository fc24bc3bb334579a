import { andThen, type MaybePromise } from '../time/promises.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import { type Owner, type OwnerIdentity, ownerOf, type SessionRef } from './ids.js';
import type { MintedSession } from './minting.js';
import { connectionIndex, userIndex } from './session-index.js';
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
 * connection. A session and its connections end together.
 */
export class OwnerSessions {
  readonly #options: OwnerSessionsOptions;
  /** Owners by principal: all requests with one token have the same principal. */
  readonly #owners = new WeakMap<OwnerIdentity, Owner>();

  constructor(options: OwnerSessionsOptions) {
    this.#options = options;
    options.registry.onEnded((record, reason) => {
      const { ref, kind, session } = record;
      if (kind === 'owner-session') this.#inBackground(() => this.#endConnectionsOf(ref, reason));
      else if (session) this.#inBackground(() => this.#connectionEnded(session, reason));
    });
  }

  /**
   * The session of an owner. Creates it if it does not exist.
   * @throws SessionError `limit_reached`
   */
  async of(identity: OwnerIdentity): Promise<SessionRecord> {
    return this.#options.registry.ofOwner(this.#ownerOf(identity));
  }

  /** Like `of`, for a request of the owner, which is noted. */
  async ofRequest(identity: OwnerIdentity): Promise<SessionRecord> {
    return this.#options.registry.visitOwner(this.#ownerOf(identity));
  }

  /**
   * The session for a new connection.
   * @throws SessionError `limit_reached`
   */
  async ofNewConnection(identity: OwnerIdentity): Promise<SessionRecord> {
    const { keys, random, registry, hasSessionPerConnection } = this.#options;
    if (!hasSessionPerConnection) return this.of(identity);
    return registry.ofOwner(ownerOf(keys, { ...identity, session: `connection ${randomToken(random)}` }));
  }

  /**
   * The session of a connection. It stays the same, even if later tokens name another `sessionClaim`.
   * @returns `undefined` if it has ended: the connection is about to end, too
   */
  ofConnection({ session }: SessionRecord): MaybePromise<SessionRecord | undefined> {
    return session && this.#options.registry.get(session);
  }

  /**
   * Starts a connection of an owner's session, which counts as a request. Above the maximum, the connection that is
   * idle longest ends. A connection that serves a call, or whose client keeps a stream open, is not idle.
   * @throws SessionError `limit_reached`, `store_unavailable`; `too_many_requests` if none of them is idle
   */
  async connect(session: SessionRecord, identity: OwnerIdentity): Promise<MintedSession> {
    const { registry, hasSessionPerConnection, onError } = this.#options;
    const { clientKey } = this.#ownerOf(identity);
    const started = await registry.startConnection(clientKey, session.ref).catch(async (error: unknown) => {
      if (hasSessionPerConnection) await registry.end(session.ref, 'cap').catch(onError);
      throw error;
    });
    const { ref } = started.record;
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
  async touch(connection: SessionRef, session: SessionRef): Promise<void> {
    const { registry } = this.#options;
    await Promise.all([registry.touch(connection), registry.touch(session)]);
  }

  /** Notes that a request or a stream has ended: if its session has no connection any more, the client has left. */
  requestEnded(session: SessionRef): void {
    this.#inBackground(() => this.#ifNoConnection(session, () => this.#options.registry.clientLeft(session)));
  }

  /** All sessions of the user of a session, through any client, including the session itself. */
  ofSameUser({ ref, subjectKey }: SessionRecord): MaybePromise<readonly SessionRef[]> {
    return subjectKey === undefined ? [ref] : this.#options.registry.refsOf(userIndex(subjectKey));
  }

  #ownerOf(identity: OwnerIdentity): Owner {
    const owner = this.#owners.get(identity) ?? ownerOf(this.#options.keys, identity);
    this.#owners.set(identity, owner);
    return owner;
  }

  #connectionEnded(session: SessionRef, reason: EndReason): MaybePromise<unknown> {
    const { registry, hasSessionPerConnection } = this.#options;
    return this.#ifNoConnection(session, () =>
      hasSessionPerConnection ? registry.end(session, reason) : registry.clientLeft(session),
    );
  }

  #ifNoConnection(session: SessionRef, run: () => MaybePromise<unknown>): MaybePromise<unknown> {
    return andThen<readonly SessionRef[], unknown>(
      this.#options.registry.refsOf(connectionIndex(session)),
      ({ length }) => (length === 0 ? run() : undefined),
    );
  }

  /** Within one tick if the store answers at once: the next session of the owner has the same reference. */
  #endConnectionsOf(session: SessionRef, reason: EndReason): MaybePromise<void> {
    const { registry, onError } = this.#options;
    return andThen(registry.refsOf(connectionIndex(session)), (connections) => {
      for (const connection of connections) registry.end(connection, reason).catch(onError);
    });
  }

  #inBackground(run: () => MaybePromise<unknown>): void {
    const running = run();
    if (running instanceof Promise) running.catch(this.#options.onError);
  }
}
