import {
  createMcpHandler,
  isLegacyRequest,
  type McpHttpHandler,
  type McpServer,
  type McpServerFactory,
} from '@modelcontextprotocol/server';
import type { Principal } from '../access/access.js';
import type { KeptBytes } from '../limits/kept-bytes.js';
import type { SessionId, SessionRef } from '../session/ids.js';
import type { OwnerSessions } from '../session/owner-sessions.js';
import type { StreamCloser } from '../session/presence.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';
import { Connections, type ConnectionsOptions } from './era-2025/connections.js';
import { ListenStreams } from './era-2026/listen-streams.js';
import { authInfoOf } from './request/auth-info.js';
import type { RequestContexts } from './request/context.js';
import { quotaKeyOf } from './request/kept-limits.js';
import type { McpRequest } from './request/mcp-request.js';
import { type ResolvedSession, refusalOf } from './request/resolved-session.js';
import { calledToolOf, handleOf } from './request/session-argument.js';
import { bytesOfUris, refusalOfUris } from './server/subscriptions.js';
import { respondInTime } from './wire/delayed-response.js';
import { ErrorCode, errorResponse, errorResponseOf, isLimitReached } from './wire/error-response.js';
import { InFlightLimit, tooManyInFlight } from './wire/in-flight-limit.js';
import { MAX_ID_CHARACTERS, messagesOf, methodOf, oversizedIdOf, propertyOf } from './wire/json-rpc.js';
import { isSseResponse, SseStream } from './wire/sse-stream.js';

/** The status of the SDK's answer, without a body, to a call that is closed before its result. */
const CONNECTION_CLOSED = 499;

const TOO_MANY_STREAMS =
  'Too many `subscriptions/listen` are open. Close one, log in and listen in the name of your session, or try again in a minute.';

export interface EndpointOptions extends ConnectionsOptions {
  /** The sessions of those who say who they are; absent in open access, where sessions are named by handles. */
  readonly owners: OwnerSessions | undefined;
  /** Counts the bytes of the resources that clients listen to. */
  readonly keptSubscriptions: KeptBytes;
}

/** The MCP endpoint of both eras. */
export class Endpoint {
  readonly #owners: OwnerSessions | undefined;
  readonly #registry: SessionRegistry;
  readonly #contexts: RequestContexts;
  readonly #onError: (error: unknown) => void;
  readonly #connections: Connections;
  readonly #listenStreams: ListenStreams;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #modern: McpHttpHandler;
  readonly #underWay = new InFlightLimit();
  /** What a request of the 2026 era needs to be served. */
  readonly #servers = new WeakMap<Request, McpServer>();
  /** The resources that `subscriptions/listen` requests have named. */
  readonly #keptFilters: KeptBytes;
  #isClosing = false;

  constructor(options: EndpointOptions) {
    const { registry, contexts, servers, owners, onError, onProtocolError } = options;
    this.#owners = owners;
    this.#registry = registry;
    this.#contexts = contexts;
    this.#onError = onError;
    this.#connections = new Connections(options);
    this.#keptFilters = options.keptSubscriptions;
    this.#listenStreams = new ListenStreams(options);
    this.#clock = options.clock;
    this.#deadlines = options.deadlines;
    const makeServer: McpServerFactory = ({ requestInfo }) => {
      const server = servers.make({ hasHandles: !owners, isPerRequest: true });
      if (requestInfo) this.#servers.set(requestInfo, server);
      return server;
    };
    this.#modern = createMcpHandler(makeServer, {
      legacy: 'reject',
      onerror: onProtocolError,
      // Ours has an eye on whose they are.
      maxSubscriptions: Number.POSITIVE_INFINITY,
    });
  }

  /** Tells clients that name their session with each request, and listen to this resource, that it has changed. */
  resourceUpdated(uri: string): void {
    this.#modern.notify.resourceUpdated(uri);
  }

  /**
   * Answers every new request with 503, because the server is closing. Messages for calls in flight are still accepted.
   */
  drain(): void {
    this.#isClosing = true;
  }

  /** Serves one request. Never rejects. */
  async handle(incoming: McpRequest): Promise<Response> {
    const { request, body } = incoming;
    if (this.#isClosing && !messagesOf(body).every(isAboutCallUnderWay)) return serverClosing();
    const oversized = oversizedIdOf(body);
    if (oversized !== undefined) {
      const message = `The ${oversized} of a request may have at most ${MAX_ID_CHARACTERS} characters. Send a shorter one.`;
      return errorResponse(400, ErrorCode.invalidRequest, message);
    }
    try {
      return (await isLegacyRequest(request, body))
        ? await this.#connections.handle(incoming)
        : await this.#handleModern(incoming);
    } catch (error) {
      if (!isLimitReached(error)) this.#onError(error);
      return errorResponseOf(error);
    }
  }

  /** Ends what is being served. */
  async close(): Promise<void> {
    await this.#modern.close();
    // Answers the calls that were cut off, which takes a turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #handleModern(incoming: McpRequest): Promise<Response> {
    const { body, principal } = incoming;
    const named = principal ? await this.#sessionOf(principal) : await this.#nameSession(body);
    return methodOf(body) === 'subscriptions/listen'
      ? this.#listen(incoming, named)
      : this.#answer(incoming, named);
  }

  async #listen(incoming: McpRequest, named: ResolvedSession): Promise<Response> {
    const { body, clientKey, principal, closeConnection, countUnread } = incoming;
    const id = propertyOf(body, 'id');
    const refusal = refusalOf(named, true);
    if (refusal) return errorResponse(400, ErrorCode.invalidParams, refusal, { id });
    const uris = urisOf(body);
    const refusedUris = refusalOfUris(uris);
    if (refusedUris) return errorResponse(400, ErrorCode.invalidParams, refusedUris, { id });
    const kept = this.#keptFilters.open(quotaKeyOf(incoming));
    const listener = { ref: refOf(named), clientKey };
    if (!this.#listenStreams.hasRoomFor(listener) || !kept.resize(bytesOfUris(uris))) {
      const headers = { 'retry-after': '60' };
      return errorResponse(503, ErrorCode.serverBusy, TOO_MANY_STREAMS, { id, headers });
    }
    const response = await this.#dispatch(incoming, named).catch((error: unknown) => {
      kept.release();
      throw error;
    });
    if (isSseResponse(response)) {
      const bounds = {
        closeConnection,
        countUnread,
        endsAtMs: principal?.expiresAtMs,
        onEnd: () => kept.release(),
      };
      return this.#listenStreams.hold(listener, body, response, bounds);
    }
    kept.release();
    return response;
  }

  async #answer(incoming: McpRequest, named: ResolvedSession): Promise<Response> {
    const ref = refOf(named);
    const onEnd = ref === undefined ? () => undefined : this.#begin(ref);
    if (!onEnd) return tooManyInFlight(propertyOf(incoming.body, 'id'));
    let isStreaming = false;
    try {
      const { request, closeConnection, countUnread } = incoming;
      const known = this.#dispatch(incoming, named).then((answer) =>
        answer.status === CONNECTION_CLOSED && this.#isClosing
          ? serverClosing(propertyOf(incoming.body, 'id'))
          : answer,
      );
      const { response, isStream } = await respondInTime(known, {
        clock: this.#clock,
        deadlines: this.#deadlines,
        accept: request.headers.get('accept'),
        cancel: () => void this.#servers.get(request)?.close().catch(this.#onError),
      });
      if (!isStream) return response;
      isStreaming = true;
      const stream = { clock: this.#clock, deadlines: this.#deadlines, closeConnection, countUnread, onEnd };
      return new SseStream(response, stream).response;
    } finally {
      if (!isStreaming) onEnd('server');
    }
  }

  /**
   * Notes that a request of a session is in flight, unless the session has too many.
   * @returns a function to call once, when the request has ended
   */
  #begin(ref: SessionRef): ((by: StreamCloser) => void) | undefined {
    const counted = this.#underWay.begin(ref);
    if (!counted) return undefined;
    const answered = this.#registry.requestBegan(ref);
    return (by) => {
      counted();
      answered(by);
    };
  }

  /** Has the SDK serve a request. */
  #dispatch(
    { request, body, origin, clientKey, principal }: McpRequest,
    named: ResolvedSession,
  ): Promise<Response> {
    const context = { era: '2026', named, ...calledToolOf(body), origin, clientKey, principal } as const;
    const authInfo = principal && authInfoOf(principal);
    return this.#contexts.run(context, () =>
      this.#modern.fetch(request, { parsedBody: body, ...(authInfo && { authInfo }) }),
    );
  }

  async #sessionOf(principal: Principal): Promise<ResolvedSession> {
    const record = await this.#owners?.of(principal);
    if (!record) return { state: 'none' };
    await this.#registry.touch(record.ref);
    return { state: 'live', record, handle: undefined };
  }

  async #nameSession(body: unknown): Promise<ResolvedSession> {
    const handle = handleOf(body);
    if (handle.kind !== 'handle') return { state: handle.kind === 'none' ? 'none' : 'unknown' };
    const resolved = await this.#registry.resolve('handle', handle.value);
    if (resolved.state !== 'live') return resolved;
    await this.#registry.touch(resolved.record.ref);
    // It resolved, so it is an id of ours.
    return { ...resolved, handle: handle.value as SessionId };
  }
}

/** Whether a message is not a request: a response, or a notification such as a cancellation. */
function isAboutCallUnderWay(message: unknown): boolean {
  return (
    message !== undefined && (methodOf(message) === undefined || propertyOf(message, 'id') === undefined)
  );
}

/** The resources that a `subscriptions/listen` names. */
function urisOf(body: unknown): string[] {
  const uris = propertyOf(propertyOf(propertyOf(body, 'params'), 'notifications'), 'resourceSubscriptions');
  // The SDK refuses URIs that are not strings.
  return Array.isArray(uris) ? uris.filter((uri) => typeof uri === 'string') : [];
}

function serverClosing(id?: unknown): Response {
  return errorResponse(503, ErrorCode.serverBusy, 'This server is closing. Try again in 10 seconds.', {
    id,
    headers: { 'retry-after': '10' },
  });
}

function refOf(named: ResolvedSession): SessionRef | undefined {
  return named.state === 'live' ? named.record.ref : undefined;
}
