import {
  createMcpHandler,
  type McpHttpHandler,
  type McpServer,
  type McpServerFactory,
} from '@modelcontextprotocol/server';
import type { Principal } from '../../access/access.js';
import { Counter } from '../../limits/counter.js';
import type { MemoryQuota } from '../../limits/memory-quota.js';
import type { ChangeElsewhere } from '../../session/followed-session.js';
import type { SessionId, SessionRef } from '../../session/ids.js';
import type { OwnerSessions } from '../../session/owner-sessions.js';
import type { StreamCloser } from '../../session/presence.js';
import type { InternalEvent } from '../../session/session-events.js';
import { andThen, type MaybePromise } from '../../time/promises.js';
import type { CallableTool, PlainTools } from '../plain-tools/plain-tools.js';
import { authInfoOf } from '../request/call-context.js';
import { quotaKeyOf } from '../request/client-memory-limits.js';
import type { RequestContext, RequestContexts } from '../request/context.js';
import type { McpRequest, PlainRequest } from '../request/mcp-request.js';
import { type ResolvedSession, refusalOf } from '../request/resolved-session.js';
import { calledToolOf, handleOf } from '../request/session-argument.js';
import type { ServerFactory } from '../server/factory.js';
import { bytesOfUris, refusalOfUris } from '../server/subscriptions.js';
import { respondInTime } from '../wire/delayed-response.js';
import {
  ErrorCode,
  errorResponse,
  MAX_REQUESTS_IN_FLIGHT,
  serverClosing,
  tooManyInFlight,
} from '../wire/error-response.js';
import { methodOf, propertyOf } from '../wire/json-rpc.js';
import type { PlainAnswer } from '../wire/plain-answer.js';
import { isSseResponse, SseStream } from '../wire/sse-stream.js';
import { ListenStreams, type ListenStreamsOptions, subscribedUrisOf } from './listen-streams.js';

/** The status of the SDK's response, without a body, to a call whose server object closes before the result. */
const CONNECTION_CLOSED = 499;

const TOO_MANY_STREAMS =
  'Too many `subscriptions/listen` are open. Close one, log in and listen in the name of your session, or try again in a minute.';

export interface StatelessHandlerOptions extends ListenStreamsOptions {
  /** The sessions of authenticated callers. Absent in open access, where handles name sessions. */
  readonly owners: OwnerSessions | undefined;
  readonly contexts: RequestContexts;
  readonly servers: ServerFactory;
  /** Absent: the SDK dispatches all calls. */
  readonly plainTools: PlainTools | undefined;
  /** The response in place of an error that `handle` throws. */
  readonly errorResponseOf: (error: unknown) => Response;
  /** Counts the bytes of the URIs that clients listen to. */
  readonly keptSubscriptions: MemoryQuota;
  readonly onError: (error: unknown) => void;
  /** Called with what the SDK reports, mostly mistakes of clients. The SDK answers each of them. */
  readonly onProtocolError: (error: unknown) => void;
}

/**
 * Serves clients of MCP 2026-07-28, which has no protocol sessions: every request is served by its own server object.
 */
export class StatelessHandler {
  readonly #options: StatelessHandlerOptions;
  readonly #listenStreams: ListenStreams;
  readonly #sdk: McpHttpHandler;
  /** The number of calls in flight of each session. */
  readonly #inFlight = new Counter<SessionRef>();
  /** The server objects of requests in flight. */
  readonly #servers = new WeakMap<Request, McpServer>();
  #isClosing = false;

  constructor(options: StatelessHandlerOptions) {
    this.#options = options;
    this.#listenStreams = new ListenStreams(options);
    const makeServer: McpServerFactory = ({ requestInfo }) => {
      const server = options.servers.make({ era: '2026', hasHandles: !options.owners, isPerRequest: true });
      if (requestInfo) this.#servers.set(requestInfo, server);
      return server;
    };
    this.#sdk = createMcpHandler(makeServer, {
      legacy: 'reject',
      onerror: options.onProtocolError,
      // `ListenStreams` limits subscriptions for each session and address; the SDK only limits their sum.
      maxSubscriptions: Number.POSITIVE_INFINITY,
    });
    options.contexts.resourceUpdates.subscribe((uri, session) => {
      if (session === undefined) this.#sdk.notify.resourceUpdated(uri);
      else this.#listenStreams.notify(session, uri);
    });
  }

  /** Follows an event, or a change by another node. Call it for each one. */
  handleEvent(event: InternalEvent | ChangeElsewhere): void {
    this.#listenStreams.handleEvent(event);
  }

  /**
   * A call that may be answered without the SDK; `undefined` if the request is none.
   * @returns a function that calls the tool. It resolves with `undefined` if `handle` has to serve the request, and the
   * tool was not called. Never rejects
   */
  direct(incoming: PlainRequest): (() => Promise<PlainAnswer | Response | undefined>) | undefined {
    const { plainTools } = this.#options;
    const found = this.#isClosing ? undefined : plainTools?.find(incoming);
    return plainTools && found && (() => this.#callDirectly(plainTools, incoming, found));
  }

  /** @throws SessionError if a limit is reached or the store fails */
  async handle(incoming: McpRequest): Promise<Response> {
    const { body } = incoming;
    const resolved = await this.#sessionOf(incoming);
    return methodOf(body) === 'subscriptions/listen'
      ? this.#listen(incoming, resolved)
      : this.#call(incoming, resolved);
  }

  /** Ends calls and streams. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#options.plainTools?.close();
    await this.#sdk.close();
    // The SDK responds to the calls that it ends in the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #listen(incoming: McpRequest, resolved: ResolvedSession): Promise<Response> {
    const { body, clientKey, principal, closeConnection, countUnread } = incoming;
    const id = propertyOf(body, 'id');
    const uris = subscribedUrisOf(body);
    const refusal = refusalOf(resolved, true) ?? refusalOfUris(uris);
    if (refusal) return errorResponse(400, ErrorCode.invalidParams, refusal, { id });
    const kept = this.#options.keptSubscriptions.open(quotaKeyOf(incoming));
    const subscriber = { ref: refOf(resolved), clientKey };
    if (!this.#listenStreams.hasRoomFor(subscriber) || !kept.resize(bytesOfUris(uris))) {
      const headers = { 'retry-after': '60' };
      return errorResponse(503, ErrorCode.serverBusy, TOO_MANY_STREAMS, { id, headers });
    }
    let isStreaming = false;
    try {
      const response = await this.#dispatch(incoming, contextOf(incoming, resolved));
      isStreaming = isSseResponse(response);
      if (!isSseResponse(response)) return response;
      const endsAtMs = principal?.expiresAtMs;
      const bounds = { closeConnection, countUnread, endsAtMs, onEnd: () => kept.release() };
      return this.#listenStreams.add(subscriber, body, response, bounds);
    } finally {
      if (!isStreaming) kept.release();
    }
  }

  /** Waits only for what is a promise: each one costs more while the storage of contexts is in use. Never rejects. */
  async #callDirectly(
    plainTools: PlainTools,
    incoming: PlainRequest,
    called: CallableTool,
  ): Promise<PlainAnswer | Response | undefined> {
    const { clock, errorResponseOf } = this.#options;
    let onEnd: CountedCall['onEnd'] | undefined;
    try {
      const found = this.#sessionOf(incoming);
      const resolved = found instanceof Promise ? await found : found;
      if (refusalOf(resolved, false) !== undefined) return undefined;
      onEnd = this.#startCall(refOf(resolved));
      if (!onEnd) return undefined;
      const startedAtMs = clock.now();
      const context = contextOf(incoming, resolved);
      const starting = plainTools.start(called, incoming, context);
      const started = starting instanceof Promise ? await starting : starting;
      if (!started) {
        onEnd('server');
        return undefined;
      }
      const { running } = started;
      incoming.onDisconnect(() => running.end());
      const answer = await started.answer;
      if (answer === 'sdk')
        return await this.#respond(incoming, { ...context, running }, { onEnd, startedAtMs });
      onEnd('server');
      return answer === 'ended' ? serverClosing(called.call.id) : answer;
    } catch (error) {
      onEnd?.('server');
      return errorResponseOf(error);
    }
  }

  async #call(incoming: McpRequest, resolved: ResolvedSession): Promise<Response> {
    const onEnd = this.#startCall(refOf(resolved));
    if (!onEnd) return tooManyInFlight(propertyOf(incoming.body, 'id'));
    return this.#respond(incoming, contextOf(incoming, resolved), {
      onEnd,
      startedAtMs: this.#options.clock.now(),
    });
  }

  /** Has the SDK answer a call that counts as in flight. */
  async #respond(
    incoming: McpRequest,
    context: RequestContext,
    { onEnd, startedAtMs }: CountedCall,
  ): Promise<Response> {
    const { clock, deadlines, onError } = this.#options;
    const { request, body, closeConnection, countUnread } = incoming;
    const id = propertyOf(body, 'id');
    let isStreaming = false;
    try {
      const pending = this.#dispatch(incoming, context).then((response) =>
        response.status === CONNECTION_CLOSED && this.#isClosing ? serverClosing(id) : response,
      );
      const drop = () => context.running?.drop();
      pending.then(drop, drop);
      const { response, isStream } = await respondInTime(pending, {
        clock,
        deadlines,
        startedAtMs,
        accept: request.headers.get('accept'),
        cancel: () => void this.#servers.get(request)?.close().catch(onError),
      });
      if (!isStream) return response;
      isStreaming = true;
      return new SseStream(response, { clock, deadlines, closeConnection, countUnread, onEnd }).response;
    } finally {
      if (!isStreaming) onEnd('server');
    }
  }

  /**
   * Counts a call of a session, unless the session has too many in flight.
   * @returns a function to call once, when the call has ended
   */
  #startCall(ref: SessionRef | undefined): ((by: StreamCloser) => void) | undefined {
    if (ref === undefined) return () => undefined;
    if (this.#inFlight.get(ref) >= MAX_REQUESTS_IN_FLIGHT) return undefined;
    this.#inFlight.add(ref, 1);
    const ended = this.#options.registry.requestBegan(ref);
    return (by) => {
      this.#inFlight.add(ref, -1);
      ended(by);
    };
  }

  /** Passes a request to the SDK. */
  #dispatch({ request, body, principal }: McpRequest, context: RequestContext): Promise<Response> {
    const authInfo = principal && authInfoOf(principal);
    return this.#options.contexts.run(context, () =>
      this.#sdk.fetch(request, { parsedBody: body, ...(authInfo && { authInfo }) }),
    );
  }

  #sessionOf({ body, principal }: McpRequest): MaybePromise<ResolvedSession> {
    return principal ? this.#sessionOfOwner(principal) : this.#sessionOfHandle(body);
  }

  async #sessionOfOwner(principal: Principal): Promise<ResolvedSession> {
    const record = await this.#options.owners?.ofRequest(principal);
    return record ? { state: 'live', record, handle: undefined } : { state: 'none' };
  }

  /** In the same tick if the store answers at once. */
  #sessionOfHandle(body: unknown): MaybePromise<ResolvedSession> {
    const { registry } = this.#options;
    const handle = handleOf(body);
    if (handle.kind !== 'handle') return { state: handle.kind === 'none' ? 'none' : 'unknown' };
    const resolved = registry.resolveRequest('handle', handle.value);
    // A handle that resolves is a session id.
    return andThen(resolved, (found) =>
      found.state === 'live' ? { ...found, handle: handle.value as SessionId } : found,
    );
  }
}

/** A call that counts as in flight until `onEnd` is called. */
interface CountedCall {
  readonly onEnd: (by: StreamCloser) => void;
  readonly startedAtMs: number;
}

function contextOf(
  { body, origin, clientKey, principal, operation }: McpRequest,
  resolved: ResolvedSession,
): RequestContext {
  return { era: '2026', resolved, ...calledToolOf(body), origin, clientKey, principal, operation };
}

function refOf(resolved: ResolvedSession): SessionRef | undefined {
  return resolved.state === 'live' ? resolved.record.ref : undefined;
}
