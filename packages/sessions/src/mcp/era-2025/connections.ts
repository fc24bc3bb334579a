import { isInitializeRequest, isJSONRPCNotification } from '@modelcontextprotocol/server';
import { bytesOfJson, bytesOfText, MemoryQuota, type QuotaShare } from '../../limits/memory-quota.js';
import type { ChangeElsewhere } from '../../session/followed-session.js';
import type { SessionId, SessionRef } from '../../session/ids.js';
import { NOTHING_HELD } from '../../session/local-sessions.js';
import type { InternalEvent } from '../../session/session-events.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';
import { type PlainCall, plainCallOf2025 } from '../plain-tools/plain-call.js';
import type { PlainTools } from '../plain-tools/plain-tools.js';
import { authInfoOf } from '../request/call-context.js';
import { CLIENT_INFO_LIMITS, EVENT_LIMITS, quotaKeyOf } from '../request/client-memory-limits.js';
import type { RequestContext, RequestContexts } from '../request/context.js';
import {
  hasDisconnected,
  isPlainRequest,
  type McpRequest,
  type PlainRequest,
} from '../request/mcp-request.js';
import { calledToolOf } from '../request/session-argument.js';
import type { ServerFactory } from '../server/factory.js';
import type { SlowCalls } from '../server/slow-calls.js';
import { ErrorCode, errorResponse, sessionNotFound } from '../wire/error-response.js';
import { messagesOf, methodOf, propertyOf } from '../wire/json-rpc.js';
import { ACCEPTED, isPlainAnswer, type PlainAnswer } from '../wire/plain-answer.js';
import { isSseResponse } from '../wire/sse-stream.js';
import {
  Connection,
  type ConnectionOptions,
  type ConnectionRequest,
  isSupported,
  opensStandalone,
} from './connection.js';
import type { ConnectionRefs, ConnectionRegistry, ResolvedConnection } from './connection-registry.js';
import type { EarlyAnswer } from './early-answer.js';
import { type Hibernated, HibernatedStates } from './hibernated.js';
import { Hibernation } from './hibernation.js';
import { InitializeAnswers } from './initialize-answers.js';
import { isPingResponse } from './standalone-stream.js';
import { acceptsBoth } from './transport.js';

export interface ConnectionsOptions {
  readonly registry: SessionRegistry;
  /** Maps connections to sessions. */
  readonly connectionRegistry: ConnectionRegistry;
  readonly contexts: RequestContexts;
  readonly servers: ServerFactory;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly slowCalls: SlowCalls<EarlyAnswer>;
  /** Absent: the SDK dispatches all calls. */
  readonly plainTools: PlainTools | undefined;
  /** Whether connections that are not used hibernate. */
  readonly hibernates: boolean;
  /** How long a client can resume a broken stream: the grace of its login after a disconnect. */
  readonly resumableMs: number;
  readonly onError: (error: unknown) => void;
  /** Called with what the SDK reports, mostly mistakes of clients. The SDK answers each of them. */
  readonly onProtocolError: (error: unknown) => void;
  /** Called when a server object answers `initialize` differently than another one. Default: ignored. */
  readonly onDifferentServers?: (() => void) | undefined;
  /** Called when a request names a connection of another process. Absent if no other process shares sessions. */
  readonly onOpenElsewhere?: (() => void) | undefined;
}

const SESSION_HEADER = 'mcp-session-id';
/** The maximum length of `initialize`, whose client information is kept as long as the connection. */
const MAX_INITIALIZE_CHARACTERS = 16 * 1024;

/**
 * The connections of 2025 clients. Each is a protocol session, from `initialize` to its end. One that was not used for a
 * while hibernates: only its state is left.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #connections = new Map<SessionRef, Connection | Hibernated>();
  /** Those that do not hibernate, by their sessions. */
  readonly #ofSession = new Map<SessionRef, Set<Connection>>();
  /** What ends the holds of a connection and its session, if other nodes may change them. */
  readonly #drops = new Map<SessionRef, () => void>();
  readonly #hibernated = new HibernatedStates();
  readonly #answers: InitializeAnswers;
  readonly #hibernation: Hibernation<Connection>;
  /** The client information of 2025 connections, where it is longer than each may have. */
  readonly #clientInfo = new Map<SessionRef, QuotaShare>();
  readonly #keptClientInfo = new MemoryQuota(CLIENT_INFO_LIMITS);
  readonly #keptEvents = new MemoryQuota(EVENT_LIMITS);

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#hibernation = new Hibernation(options);
    this.#answers = new InitializeAnswers(options.onDifferentServers);
  }

  /** Follows an event, or a change by another node. Call it for each one. */
  handleEvent(event: InternalEvent | ChangeElsewhere): void {
    switch (event.type) {
      case 'session.ended':
        void this.#close(event.ref);
        return;
      case 'session.signed_out':
      case 'session.account_lost':
      case 'account.removed':
      case 'account.reauthentication_required':
        // Another user may log in next.
        for (const connection of this.#ofSession.get(event.ref) ?? []) connection.forgetEvents();
        return;
      default:
    }
  }

  /** Closes every connection as the server, so that no client counts as disconnected. The sessions remain. */
  async close(): Promise<void> {
    await Promise.all([...this.#connections.keys()].map((ref) => this.#close(ref)));
  }

  /**
   * A call on a connection, as most clients write it; `undefined` if the request is none.
   * @returns a function that serves it as `handle`
   */
  direct(incoming: PlainRequest): (() => Promise<Response | PlainAnswer>) | undefined {
    const call = plainCallOf2025(incoming);
    return call?.connection && (() => this.#continue(incoming, call.connection?.id ?? '', call));
  }

  /**
   * A GET that opens the standalone stream over its sink; `undefined` if the request is none.
   * @returns a function that serves it as `handle`
   */
  stream(incoming: PlainRequest): (() => Promise<Response | PlainAnswer>) | undefined {
    const { headers } = incoming;
    const id = headers.get(SESSION_HEADER);
    return id !== null && opensStandalone(headers) ? () => this.#continue(incoming, id) : undefined;
  }

  /** @throws SessionError if a limit is reached or the store fails */
  async handle(incoming: McpRequest): Promise<Response | PlainAnswer> {
    const isPost = isPlainRequest(incoming) || incoming.request.method === 'POST';
    const id = headersOf(incoming).get(SESSION_HEADER);
    if (id !== null) return this.#continue(incoming, id);
    if (isPost && isInitializeRequest(incoming.body)) return this.#initialize(incoming);
    return errorResponse(
      400,
      ErrorCode.sessionRequired,
      'This request names no session: send `initialize` first, then its Mcp-Session-Id with every request.',
    );
  }

  async #initialize(incoming: McpRequest): Promise<Response | PlainAnswer> {
    if (propertyOf(incoming.body, 'id') === undefined) {
      // The SDK would take it for a notification, and its response would not carry the session id.
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        'This `initialize` has no id: send it as a request.',
      );
    }
    const params = propertyOf(incoming.body, 'params');
    const { length } = JSON.stringify(incoming.body);
    // A server object keeps the values, and the connection keeps the text.
    const bytes = bytesOfJson(params) + bytesOfText(JSON.stringify(params));
    if (length > MAX_INITIALIZE_CHARACTERS || bytes > CLIENT_INFO_LIMITS.maxBytes) {
      return errorResponse(
        413,
        ErrorCode.invalidRequest,
        'This `initialize` is too large: 16 KiB are enough.',
      );
    }
    const clientInfo = this.#keptClientInfo.open(quotaKeyOf(incoming));
    if (!clientInfo.resize(bytes)) {
      return errorResponse(
        503,
        ErrorCode.serverBusy,
        'This server has no room for more client information. Send a shorter `initialize`, or try again later.',
        { id: propertyOf(incoming.body, 'id'), headers: { 'retry-after': '60' } },
      );
    }
    const { registry, connectionRegistry } = this.#options;
    const { id, ...started } = await connectionRegistry
      .start(incoming.principal, incoming.clientKey)
      .catch((error: unknown) => {
        clientInfo.release();
        throw error;
      });
    const { connection } = started;
    if (bytes > CLIENT_INFO_LIMITS.guaranteedBytes) this.#clientInfo.set(connection, clientInfo);
    const json = this.#answerTo(incoming);
    const opening =
      json === undefined
        ? this.#open(incoming, id, started)
        : this.#openLater(params, started, { json, sessionId: id });
    const response = await opening.catch(async (error: unknown) => {
      await this.#discard(connection);
      throw error;
    });
    // If the session has ended in the meantime, its event has been missed.
    const isOk = isPlainAnswer(response) || response.ok;
    if (!isOk || !(await registry.has(connection))) await this.#discard(connection);
    return response;
  }

  async #open(
    incoming: McpRequest,
    id: SessionId,
    started: ResolvedConnection,
  ): Promise<Response | PlainAnswer> {
    const connection = this.#make(id, refsOf(started), this.#keptEvents.open(quotaKeyOf(incoming)));
    this.#add(started, connection);
    this.#hold(started);
    const { contexts } = this.#options;
    return contexts.run(contextOf(incoming, started), () =>
      connection.serve(new RequestOfConnection(incoming)),
    );
  }

  /** The answer to `initialize`, if no server object is needed for it. */
  #answerTo(incoming: McpRequest): string | undefined {
    return this.#options.hibernates && acceptsBoth(headersOf(incoming))
      ? this.#answers.answerTo(incoming.body)
      : undefined;
  }

  /** Opens a connection that hibernates from the beginning. It gets a server object when it is used. */
  async #openLater(params: unknown, started: ResolvedConnection, answer: PlainAnswer): Promise<PlainAnswer> {
    const initialize = JSON.stringify(params);
    const state = { initialize, logLevel: undefined, numbered: 0, asked: 0, isNew: true };
    this.#connections.set(started.connection, this.#hibernated.keep(state));
    this.#hold(started);
    return answer;
  }

  /** Goes on with a connection, which may hibernate. Its server object is made when it is needed. */
  #awake(
    id: SessionId,
    found: ResolvedConnection,
    incoming: McpRequest,
    state: Connection | Hibernated,
  ): Connection {
    if (state instanceof Connection) return state;
    const kept = this.#keptEvents.open(quotaKeyOf(incoming));
    const connection = this.#make(id, refsOf(found), kept, state);
    this.#hibernated.release(state);
    this.#add(found, connection);
    return connection;
  }

  /** Apart from `#open`, because functions of a connection keep all variables around them as long as it exists. */
  #make(id: SessionId, refs: ConnectionRefs, kept: QuotaShare, state?: Hibernated): Connection {
    const { connectionRegistry, servers, contexts, clock, deadlines, resumableMs, slowCalls } = this.#options;
    const { plainTools, hibernates } = this.#options;
    const options: ConnectionOptions = {
      id,
      session: refs.session.ref,
      clock,
      deadlines,
      slowCalls,
      keptMs: resumableMs,
      kept,
      isEternal: !hibernates,
      onInitialize: (params, result) => this.#answers.learn(params, result),
      onFailedStart: () => this.#failedToStart(refs.connection),
      // A handler may run in a copy of the context of its POST.
      currentPost: () => contexts.peek()?.given,
      makeServer: () =>
        contexts.outside(() => servers.makeFor2025({ hasHandles: false, isPerRequest: false })),
      direct: plainTools && { plainTools, contexts },
      present: () => this.#present(refs.connection),
      onUse: (connection) => this.#hibernation.note(connection),
      onRest: (state) => this.#rest(refs, state),
      onStandaloneOpen: () => connectionRegistry.streamOpened(refs),
    };
    return new Connection(options, state);
  }

  /** Ends a connection whose `initialize` has failed, or whose server object cannot be made after it. */
  #failedToStart(ref: SessionRef): void {
    this.#answers.forget();
    this.#discard(ref).catch(this.#options.onError);
  }

  #present(ref: SessionRef): Connection | undefined {
    const present = this.#connections.get(ref);
    return present instanceof Connection ? present : undefined;
  }

  #rest({ connection: ref, session }: ConnectionRefs, state: Hibernated): void {
    const connection = this.#present(ref);
    if (!connection) return;
    this.#removeFrom(session.ref, connection);
    this.#connections.set(ref, this.#hibernated.keep(state));
  }

  async #discard(ref: SessionRef): Promise<void> {
    await this.#options.registry.end(ref, 'deleted');
    await this.#close(ref);
  }

  /** @param call the call in the request, if it may be served without the SDK */
  async #continue(incoming: McpRequest, id: string, call?: PlainCall): Promise<Response | PlainAnswer> {
    const { registry, connectionRegistry } = this.#options;
    const { body, principal } = incoming;
    const finding = connectionRegistry.find(id, principal);
    // Each promise costs more while a storage of contexts is in use.
    const found = finding instanceof Promise ? await finding : finding;
    const open = found && this.#connections.get(found.connection);
    if (!found || !open) {
      const onOpenElsewhere = found && this.#options.onOpenElsewhere;
      onOpenElsewhere?.();
      return sessionNotFound(onOpenElsewhere ? 'elsewhere' : 'ended');
    }
    const isPingOnly = !call && messagesOf(body).every(isPing);
    const onAnswered = isPingOnly ? ignore : connectionRegistry.requestBegan(found);
    const request = new RequestOfConnection(incoming, call, onAnswered);
    const response = await (open instanceof Connection || !this.#tellsNothing(incoming, open)
      ? this.#serve(incoming, found, this.#awake(id as SessionId, found, incoming, open), request)
      : this.#accept(request));
    // The request has been served, so a failure of the store is only reported.
    const isOk = isPlainAnswer(response) || response.ok;
    if (isOk && !isPingOnly) await connectionRegistry.touch(found).catch(this.#options.onError);
    if (isOk && !isPlainRequest(incoming) && incoming.request.method === 'DELETE')
      await registry.end(found.connection, 'deleted');
    return response;
  }

  /** Whether a request is a notification that no server object has to know. */
  #tellsNothing(incoming: McpRequest, { isNew = false }: Hibernated): boolean {
    const { body } = incoming;
    const isInitialized =
      isNew && methodOf(body) === 'notifications/initialized' && isJSONRPCNotification(body);
    const headers = isInitialized && headersOf(incoming);
    return headers && this.#answers.isSame && acceptsBoth(headers) && isSupported({ headers });
  }

  #accept({ onAnswered }: ConnectionRequest): PlainAnswer {
    onAnswered?.('server');
    return ACCEPTED;
  }

  /** @param request its `onAnswered` is called once, when the client has the response or has disconnected */
  async #serve(
    incoming: McpRequest,
    found: ResolvedConnection,
    connection: Connection,
    request: ConnectionRequest,
  ): Promise<Response | PlainAnswer> {
    let isStreaming = false;
    try {
      const response = await this.#options.contexts.run(contextOf(incoming, found), () =>
        connection.serve(request),
      );
      isStreaming = isPlainAnswer(response) ? response.isSent === true : isSseResponse(response);
      return response;
    } finally {
      if (!isStreaming) request.onAnswered?.(hasDisconnected(incoming) ? 'client' : 'server');
    }
  }

  #add({ connection: ref, session }: ConnectionRefs, connection: Connection): void {
    this.#connections.set(ref, connection);
    const others = this.#ofSession.get(session.ref) ?? new Set();
    this.#ofSession.set(session.ref, others.add(connection));
  }

  #hold({ connection, session }: ConnectionRefs): void {
    const { registry } = this.#options;
    const drops = [...new Set([connection, session.ref])]
      .map((ref) => registry.hold(ref))
      .filter((drop) => drop !== NOTHING_HELD);
    if (drops.length === 0) return;
    this.#drops.set(connection, () => {
      for (const drop of drops) drop();
    });
  }

  #removeFrom(session: SessionRef, connection: Connection): void {
    const others = this.#ofSession.get(session);
    others?.delete(connection);
    if (others?.size === 0) this.#ofSession.delete(session);
  }

  /** Never rejects. */
  async #close(ref: SessionRef): Promise<void> {
    this.#clientInfo.get(ref)?.release();
    this.#clientInfo.delete(ref);
    const open = this.#connections.get(ref);
    if (!open) return;
    this.#connections.delete(ref);
    this.#drops.get(ref)?.();
    this.#drops.delete(ref);
    if (!(open instanceof Connection)) {
      this.#hibernated.release(open);
      return;
    }
    this.#hibernation.forget(open);
    this.#removeFrom(open.session, open);
    await open.close().catch(this.#options.onError);
  }
}

/** Without the records, which would be kept as long as the connection. */
function refsOf({ connection, session: { ref } }: ResolvedConnection): ConnectionRefs {
  return { connection, session: { ref } };
}

function ignore(): void {
  // A ping does not count as activity of the user.
}

function headersOf(incoming: McpRequest): PlainRequest['headers'] {
  return isPlainRequest(incoming) ? incoming.headers : incoming.request.headers;
}

/** A request on a connection. What is seldom needed is made when it is read. */
class RequestOfConnection implements ConnectionRequest {
  readonly #incoming: McpRequest;
  readonly call: PlainCall | undefined;
  readonly onAnswered: ConnectionRequest['onAnswered'];

  constructor(incoming: McpRequest, call?: PlainCall, onAnswered?: ConnectionRequest['onAnswered']) {
    this.#incoming = incoming;
    this.call = call;
    this.onAnswered = onAnswered;
  }

  get request(): Request {
    return this.#incoming.request;
  }

  get headers(): PlainRequest['headers'] {
    return headersOf(this.#incoming);
  }

  get isPost(): boolean {
    return isPlainRequest(this.#incoming) && !this.#incoming.sink;
  }

  get sink(): PlainRequest['sink'] {
    return isPlainRequest(this.#incoming) ? this.#incoming.sink : undefined;
  }

  get body(): unknown {
    return this.#incoming.body;
  }

  get authInfo(): ConnectionRequest['authInfo'] {
    const { principal } = this.#incoming;
    return principal && authInfoOf(principal);
  }

  get closeConnection(): ConnectionRequest['closeConnection'] {
    return this.#incoming.closeConnection;
  }

  get countUnread(): ConnectionRequest['countUnread'] {
    return this.#incoming.countUnread;
  }

  get endsAtMs(): number | undefined {
    return this.#incoming.principal?.expiresAtMs;
  }
}

function contextOf(
  { body, origin, clientKey, principal, operation }: McpRequest,
  { session }: ResolvedConnection,
): RequestContext {
  const resolved = { state: 'live', record: session, handle: undefined } as const;
  return { era: '2025', resolved, ...calledToolOf(body), origin, clientKey, principal, operation };
}

function isPing(message: unknown): boolean {
  return methodOf(message) === 'ping' || isPingResponse(message);
}
