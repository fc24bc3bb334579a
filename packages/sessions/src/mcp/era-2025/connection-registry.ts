import type { Principal } from '../../access/access.js';
import type { ClientKey } from '../../limits/client-key.js';
import { ANONYMOUS_OWNER, type SessionId, type SessionRef } from '../../session/ids.js';
import type { OwnerSessions } from '../../session/owner-sessions.js';
import type { StreamCloser } from '../../session/presence.js';
import type { SessionEvents } from '../../session/session-events.js';
import { type SessionRecord, snapshotOf } from '../../session/session-record.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import { andThen, type MaybePromise } from '../../time/promises.js';

/** A connection of a 2025 client, and the session that its requests use. */
export interface ResolvedConnection {
  readonly connection: SessionRef;
  readonly session: SessionRecord;
}

/** The references of a connection and its session. Unlike their records, they may be kept. */
export interface ConnectionRefs {
  readonly connection: SessionRef;
  readonly session: Pick<SessionRecord, 'ref'>;
}

/** Maps the connections of 2025 clients to sessions. */
export interface ConnectionRegistry {
  /**
   * Starts a connection.
   * @param clientKey the address that the connection counts for
   * @throws SessionError `limit_reached`, `too_many_requests`
   */
  start(
    principal: Principal | undefined,
    clientKey: ClientKey | undefined,
  ): Promise<ResolvedConnection & { readonly id: SessionId }>;
  /** Finds the connection of an id; `undefined` if there is none, or if it belongs to another caller. */
  find(id: string, principal: Principal | undefined): MaybePromise<ResolvedConnection | undefined>;
  /** Records the activity of a request. */
  touch(found: ResolvedConnection): Promise<void>;
  /**
   * Records that the standalone stream is open.
   * @returns a function to call when the stream ends, with the side that ended it
   */
  streamOpened(found: ConnectionRefs): (by: StreamCloser) => void;
  /**
   * Records that a request of the connection is in flight.
   * @returns a function to call when it ends, with the side that ended it
   */
  requestBegan(found: ResolvedConnection): (by: StreamCloser) => void;
}

/** Connections in open access. A connection is its own session, and belongs to every client that knows its id. */
export class OpenAccessConnections implements ConnectionRegistry {
  readonly #registry: SessionRegistry;

  constructor(registry: SessionRegistry) {
    this.#registry = registry;
  }

  async start(
    _principal: undefined,
    clientKey: ClientKey | undefined,
  ): Promise<ResolvedConnection & { readonly id: SessionId }> {
    const { id, record } = await this.#registry.start('connection', ANONYMOUS_OWNER, clientKey);
    return { id, connection: record.ref, session: record };
  }

  find(id: string): MaybePromise<ResolvedConnection | undefined> {
    return andThen(this.#registry.resolve('connection', id), (resolved) =>
      resolved.state === 'live' ? { connection: resolved.record.ref, session: resolved.record } : undefined,
    );
  }

  touch({ connection }: ResolvedConnection): Promise<void> {
    return this.#registry.touch(connection);
  }

  streamOpened({ connection }: ConnectionRefs): (by: StreamCloser) => void {
    return this.#registry.streamOpened(connection);
  }

  requestBegan({ connection }: ResolvedConnection): (by: StreamCloser) => void {
    return this.#registry.requestBegan(connection);
  }
}

export interface BearerAccessConnectionsOptions {
  readonly registry: SessionRegistry;
  readonly owners: OwnerSessions;
  readonly events: SessionEvents;
  /** Whether other nodes end connections that they take for idle, so that they have to know which ones are in use. */
  readonly isShared: boolean;
  /** Called with the errors of the store that no request waits for. */
  readonly onError: (error: unknown) => void;
}

/** Connections in bearer access. The connections of one user share a session, or each has its own. */
export class BearerAccessConnections implements ConnectionRegistry {
  readonly #options: BearerAccessConnectionsOptions;

  constructor(options: BearerAccessConnectionsOptions) {
    this.#options = options;
  }

  async start(principal: Principal | undefined): Promise<ResolvedConnection & { readonly id: SessionId }> {
    const { owners } = this.#options;
    const owner = requirePrincipal(principal);
    const session = await owners.ofNewConnection(owner);
    const { id, record } = await owners.connect(session, owner);
    return { id, connection: record.ref, session };
  }

  async find(id: string, principal: Principal | undefined): Promise<ResolvedConnection | undefined> {
    const { registry, owners, events } = this.#options;
    const owner = requirePrincipal(principal);
    const resolved = await registry.resolve('connection', id);
    if (resolved.state !== 'live') return undefined;
    const { record } = resolved;
    if (owners.isOwn(record, owner)) {
      const session = await owners.ofConnection(record);
      return session && { connection: record.ref, session };
    }
    events.emit({ type: 'session.not_owned', ...snapshotOf(record) });
    return undefined;
  }

  touch({ connection, session }: ResolvedConnection): Promise<void> {
    const { registry, owners, isShared } = this.#options;
    // The end of the request has noted it of the connection.
    return isShared ? registry.touch(session.ref) : owners.touch(connection, session.ref);
  }

  streamOpened(refs: ConnectionRefs): (by: StreamCloser) => void {
    return this.#began(refs, (ref) => this.#options.registry.streamOpened(ref));
  }

  requestBegan(found: ResolvedConnection): (by: StreamCloser) => void {
    return this.#began(found, (ref) => this.#options.registry.requestBegan(ref));
  }

  #began(
    { connection, session }: ConnectionRefs,
    begin: (ref: SessionRef) => (by: StreamCloser) => void,
  ): (by: StreamCloser) => void {
    const ends = [connection, session.ref].map(begin);
    this.#tellOthers(connection);
    return (by) => {
      for (const end of ends) end(by);
      this.#tellOthers(connection);
      // While the request or stream counted, the end of the last connection was not a disconnect.
      this.#options.owners.requestEnded(session.ref);
    };
  }

  /** Notes in the store whether a connection is in use. */
  #tellOthers(connection: SessionRef): void {
    const { registry, isShared, onError } = this.#options;
    if (isShared) registry.touch(connection).catch(onError);
  }
}

/** In bearer access every request is authenticated. */
function requirePrincipal(principal: Principal | undefined): Principal {
  if (principal) return principal;
  throw new Error('In bearer access every request has a principal.');
}
