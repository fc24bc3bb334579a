import {
  type JSONRPCMessage,
  type McpServer,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server';
import type { SessionId, SessionRef } from '../../session/ids.js';
import type { StreamCloser } from '../../session/presence.js';
import type { MaybePromise } from '../../time/promises.js';
import type { PlainCall } from '../plain-tools/plain-call.js';
import type { OwnTools } from '../server/sdk-adapter/own-tools.js';
import type { SlowCalls } from '../server/slow-calls.js';
import { ErrorCode, errorResponse, sessionNotFound } from '../wire/error-response.js';
import type { EventSink } from '../wire/event-sink.js';
import { messagesOf, propertyOf } from '../wire/json-rpc.js';
import { ACCEPTED, isPlainAnswer, type PlainAnswer } from '../wire/plain-answer.js';
import { type CountUnread, isSseResponse, type SseResponse, SseStream } from '../wire/sse-stream.js';
import { DirectCalls, type DirectCallsOptions } from './direct-calls.js';
import type { EarlyAnswer } from './early-answer.js';
import { EventBuffer, type EventBufferOptions, STANDALONE_STREAM } from './event-buffer.js';
import type { ClientState, Hibernated } from './hibernated.js';
import type { Restable } from './hibernation.js';
import { isPingResponse, StandaloneStream } from './standalone-stream.js';
import { ConnectionTransport, cancelledIdsOf, type HandedOver, type Post } from './transport.js';

export interface ConnectionOptions extends EventBufferOptions {
  readonly id: SessionId;
  /** The session that its requests use. */
  readonly session: SessionRef;
  /** Makes the server object, which is not connected. */
  readonly makeServer: () => MadeServer;
  /** What calls tools without the SDK. Absent: the SDK dispatches all calls. */
  readonly direct?: Pick<DirectCallsOptions, 'plainTools' | 'contexts'> | undefined;
  /**
   * Called with the answer of the server object to `initialize`, as JSON.
   * @param result `undefined` if another server object would have to answer for itself
   */
  readonly onInitialize?: ((params: unknown, result: string | undefined) => void) | undefined;
  /**
   * Called if the connection cannot begin: its server object has refused `initialize`, or cannot be made after the answer
   * to it.
   */
  readonly onFailedStart?: (() => void) | undefined;
  /** Whether the server object is kept as long as the connection. */
  readonly isEternal: boolean;
  /** The object of this connection that serves its requests now; `undefined` if there is none. */
  readonly present: () => Connection | undefined;
  /** Called when the connection is used. */
  readonly onUse: (connection: Connection) => void;
  /** Called when nothing is left of the connection but its state. */
  readonly onRest: (state: Hibernated) => void;
  readonly slowCalls: SlowCalls<EarlyAnswer>;
  /** Called when the client's standalone stream opens. @returns a function to call when the stream ends */
  readonly onStandaloneOpen: () => (by: StreamCloser) => void;
}

/** A server object for a connection. */
interface MadeServer {
  readonly server: McpServer;
  readonly tools?: OwnTools | undefined;
  /** Whether another one can take its place: its author keeps no state in it. */
  readonly isReplaceable: () => boolean;
}

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // Disables the response buffer of nginx.
  'x-accel-buffering': 'no',
};
const ONE_STREAM = 'Conflict: Only one SSE stream is allowed per session';

/** A request on a connection. */
export interface ConnectionRequest extends Post {
  /** Whether it is a POST, so that `request` need not be read. Default: as `request` says. */
  readonly isPost?: boolean | undefined;
  readonly body: unknown;
  readonly closeConnection: (() => void) | undefined;
  /** Counts the unread bytes of the client. Default: not counted. */
  readonly countUnread?: CountUnread | undefined;
  /** Carries the events of a GET. Default: a web-standard response does. */
  readonly sink?: EventSink | undefined;
  /** When the access token of the request expires, which ends the streams that it opens. Default: never. */
  readonly endsAtMs: number | undefined;
  /** Called when the stream of the response has ended. Not called for other responses. */
  readonly onAnswered?: ((by: StreamCloser) => void) | undefined;
  /** The call in the request, if it may be served without the SDK. */
  readonly call?: PlainCall | undefined;
}

/** How the SDK serves a POST. */
interface ToSdk extends Pick<Awake, 'direct' | 'transport'> {
  /** The messages that the server object gets. */
  readonly rest: unknown;
  readonly handedOver: HandedOver | undefined;
}

/** The deadline of a stream, and the callbacks that cut it, count its unread bytes and report its end. */
type StreamBounds = Pick<
  ConnectionRequest,
  'closeConnection' | 'countUnread' | 'endsAtMs' | 'onAnswered' | 'sink'
>;

/** A server object, and what connects it to the client of a connection. */
interface Awake {
  readonly server: McpServer;
  readonly transport: ConnectionTransport;
  readonly direct: DirectCalls | undefined;
  /** Whether another one can take its place. */
  readonly isReplaceable: () => boolean;
}

/**
 * The protocol session of one 2025 client: its server object, its streams, and the events that it can replay. Without
 * requests, it hibernates: the server object is dropped, and the next request gets another one. The author may still
 * send through the dropped one.
 */
export class Connection implements Restable<Connection> {
  previous: Connection | undefined;
  next: Connection | undefined;
  usedAtMs = 0;
  isListed = false;
  readonly #options: ConnectionOptions;
  readonly #events: EventBuffer;
  #client: ClientState | undefined;
  #awake: Awake | undefined;
  #waking: Promise<Awake> | undefined;
  #standalone: StandaloneStream | undefined;
  /** Until when the client can resume its standalone stream. */
  #resumableUntilMs = 0;
  /** The number of requests to the client. */
  #asked: number;
  #isClosed = false;
  /** Whether this object has made a server object. */
  #hasServed = false;
  /** The response streams of POSTs in flight. */
  #responses: Map<object, SseStream> | undefined;

  /** @param state of a connection that hibernates. Default: the connection is new */
  constructor(options: ConnectionOptions, state?: Hibernated) {
    this.#options = options;
    this.#client = state;
    this.#events = new EventBuffer(options, state?.numbered);
    this.#asked = state?.asked ?? 0;
    // Whatever its first request is, it hibernates afterwards.
    options.onUse(this);
  }

  /** The session that its requests use. */
  get session(): SessionRef {
    return this.#options.session;
  }

  /** Serves a request. The first one must be `initialize`. */
  serve(incoming: ConnectionRequest): Promise<Response | PlainAnswer> {
    if (incoming.isPost) return this.#post(incoming);
    if (incoming.sink) return this.#openStream(incoming);
    const { request } = incoming;
    switch (request.method) {
      case 'GET':
        return this.#openStream(incoming);
      case 'POST':
        return this.#post(incoming);
      default:
        return this.#delete(request);
    }
  }

  /** Drops the events that could be replayed, because the user has signed out. */
  forgetEvents(): void {
    this.#events.clear();
  }

  /** Drops the server object if nothing needs it. @returns whether to try again later */
  rest(): boolean {
    const { isEternal, clock, onRest } = this.#options;
    if (this.#isClosed || isEternal) return false;
    if (this.#waking) return true;
    if (this.#awake && !this.#canRest(this.#awake)) return true;
    this.#awake = undefined;
    this.#responses = undefined;
    this.#events.rest();
    if (this.#standalone) return false;
    if (this.#events.size > 0 || clock.now() < this.#resumableUntilMs) return true;
    if (this.#client) onRest({ ...this.#client, numbered: this.#events.numbered, asked: this.#asked });
    return false;
  }

  #canRest({ transport, isReplaceable }: Awake): boolean {
    if (!transport.isIdle || (this.#responses?.size ?? 0) > 0 || !isReplaceable()) return false;
    if (this.#client) this.#client = { ...this.#client, logLevel: transport.logLevel };
    return true;
  }

  /** Ends calls in flight with an error, and closes every stream. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const awake = this.#awake;
    await awake?.direct?.handOverAll();
    await awake?.server.close();
    this.#standalone?.end();
    this.#events.clear();
  }

  /** The server object. If there is none, one is made; requests that come meanwhile wait for it. */
  #wake(): MaybePromise<Awake> {
    if (this.#waking) return this.#waking;
    if (this.#awake) return this.#awake;
    this.#waking = this.#makeAwake()
      .catch((error: unknown) => {
        if (this.#client?.isNew) this.#options.onFailedStart?.();
        throw error;
      })
      .finally(() => {
        this.#waking = undefined;
      });
    return this.#waking;
  }

  async #makeAwake(): Promise<Awake> {
    const { makeServer, id, currentPost, slowCalls, direct, clock, deadlines } = this.#options;
    const { onInitialize, onFailedStart } = this.#options;
    const { server, tools, isReplaceable } = makeServer();
    const transport = new ConnectionTransport({
      id,
      clock,
      deadlines,
      events: this.#events,
      currentPost,
      slowCalls,
      nextQuestionId: () => this.#asked++,
      onInitialize: (params, result) => onInitialize?.(params, isReplaceable() ? result : undefined),
      onRefused: () => onFailedStart?.(),
      standalone: {
        send: (message) => this.#send(awake, message),
        end: () => this.#awake === awake && this.#standalone?.end(),
      },
    });
    const now = () => clock.now();
    const awake: Awake = {
      server,
      transport,
      direct: direct && tools && new DirectCalls({ ...direct, tools, transport, now }),
      isReplaceable,
    };
    await server.connect(transport);
    this.#awake = awake;
    this.#hasServed = true;
    if (!this.#client) return awake;
    try {
      await transport.replay(this.#client);
    } catch (error) {
      this.#awake = undefined;
      await server.close();
      throw error;
    }
    const { initialize, logLevel } = this.#client;
    this.#client = { initialize, logLevel };
    if (this.#isClosed) await server.close();
    return awake;
  }

  /**
   * Sends a message of a server object that belongs to no request. A server object that was dropped, but is kept by the
   * author, serves the connection again, unless there is another one, or another object for this connection: that one
   * cannot tell whether a sign-out has come since.
   */
  async #send(from: Awake, message: JSONRPCMessage): Promise<void> {
    if (this.#isClosed) return;
    const { present, onUse } = this.#options;
    const isPresent = present() === this;
    if (isPresent && !this.#waking) this.#awake ??= from;
    if (!isPresent || this.#awake !== from) {
      await from.server.close();
      return;
    }
    onUse(this);
    const eventId = await this.#events.storeEvent(STANDALONE_STREAM, message);
    this.#standalone?.sendEvent(JSON.stringify(message), eventId);
  }

  async #delete(request: Request): Promise<Response> {
    // Nothing has to be ended. The caller closes a server object that is being made.
    if ((!this.#awake || this.#waking) && isSupported(request)) return new Response(null);
    this.#options.onUse(this);
    const { direct, transport } = await this.#wake();
    await direct?.handOverAll();
    return transport.handleRequest(request);
  }

  #post(incoming: ConnectionRequest): Promise<Response | PlainAnswer> {
    const rest = incoming.call ? incoming.body : this.#withoutPingResponses(incoming.body);
    // The responses to pings need no server object.
    if (rest === undefined) return Promise.resolve(ACCEPTED);
    this.#options.onUse(this);
    const awake = this.#wake();
    // Each promise costs more while a storage of contexts is in use.
    return awake instanceof Promise
      ? awake.then((woken) => this.#postTo(woken, incoming, rest))
      : this.#postTo(awake, incoming, rest);
  }

  /** @param rest the messages that the server object gets */
  #postTo(
    { direct, transport }: Awake,
    incoming: ConnectionRequest,
    rest: unknown,
  ): Promise<Response | PlainAnswer> {
    const { call, body } = incoming;
    const toSdk = (handedOver?: HandedOver) =>
      this.#postToSdk(incoming, { rest, direct, transport, handedOver });
    if (this.#client) return call && direct ? direct.serve(call, incoming, toSdk) : toSdk();
    return toSdk().then((answer) => {
      if (transport.isInitialized) this.#client ??= clientStateOf(body);
      return answer;
    });
  }

  async #postToSdk(
    incoming: ConnectionRequest,
    { rest, direct, transport, handedOver }: ToSdk,
  ): Promise<Response | PlainAnswer> {
    for (const id of cancelledIdsOf(rest)) await direct?.handOver(id);
    const answer = await transport.serve({ incoming, body: rest, handedOver });
    if (isPlainAnswer(answer) || !isSseResponse(answer)) return answer;
    const { closeConnection, countUnread, onAnswered } = incoming;
    const bounds = { closeConnection, countUnread, onAnswered, endsAtMs: undefined };
    return this.#streamResponse(answer, this.#options.currentPost(), bounds);
  }

  /** A body without the responses to pings of the standalone stream, which the SDK did not send. */
  #withoutPingResponses(body: unknown): unknown {
    const messages = messagesOf(body);
    const others = messages.filter((message) => !isPingResponse(message));
    if (others.length === messages.length) return body;
    for (const message of messages) this.#standalone?.acceptPingResponse(message);
    return others.length === 0 ? undefined : others;
  }

  async #openStream(incoming: ConnectionRequest): Promise<Response | PlainAnswer> {
    this.#options.onUse(this);
    const { countUnread, endsAtMs, onAnswered, sink } = incoming;
    const closeConnection = sink ? undefined : incoming.closeConnection;
    const bounds = { closeConnection, countUnread, endsAtMs, onAnswered, sink };
    const { headers = incoming.request.headers } = incoming;
    const lastEventId = headers.get('last-event-id');
    // 204 stops reconnection (HTML, "Server-sent events"). After an empty stream, the client would reconnect at once.
    if (lastEventId !== null && this.#events.isLast(lastEventId)) return new Response(null, { status: 204 });
    const stream = lastEventId === null ? STANDALONE_STREAM : this.#events.streamOf(lastEventId);
    const isStandalone = stream === undefined || stream === STANDALONE_STREAM;
    if (isStandalone && mayOpenStream(headers)) {
      // What `tools` keeps of the server object may send messages from now on.
      if (!this.#hasServed) await this.#wake();
      // A stream that cannot be resumed after that event is a new one.
      return this.#openStandalone(incoming, bounds, stream ? (lastEventId ?? '') : '');
    }
    const { request } = incoming;
    const { transport } = await this.#wake();
    // The SDK's transport says what is wrong with it.
    if (isStandalone) return transport.handleRequest(request);
    const post = this.#events.postOf(stream);
    let response = await transport.handleRequest(request);
    if (response.status === 409 && post) {
      // Only the client of the open stream knows its event ids, so that stream is dead.
      this.#responses?.get(post)?.disconnect();
      response = await transport.handleRequest(request);
    }
    return isSseResponse(response) ? this.#streamResponse(response, post, bounds) : response;
  }

  /** Opens the standalone stream. Replaces an open one whose client does not answer a ping. */
  async #openStandalone(
    incoming: ConnectionRequest,
    bounds: StreamBounds,
    lastEventId: string,
  ): Promise<Response | PlainAnswer> {
    const open = this.#standalone;
    if (open && !(await open.isResponsive()) && !hasLeft(incoming)) open.replace();
    if (this.#isClosed) return sessionNotFound();
    // A client that has left does not read the answer. Its stream would never end.
    if (this.#standalone || hasLeft(incoming)) return errorResponse(409, ErrorCode.serverBusy, ONE_STREAM);
    const standalone = this.#streamStandalone(bounds);
    for (const [id, json] of this.#events.after(lastEventId)) standalone.sendEvent(json, id);
    return standalone.answer;
  }

  /** Streams the response to a POST. */
  #streamResponse(response: SseResponse, post: object | undefined, bounds: StreamBounds): Response {
    const { clock, deadlines } = this.#options;
    const { onAnswered, ...limits } = bounds;
    const onEnd = (by: StreamCloser) => {
      if (post && this.#responses?.get(post) === stream) this.#responses.delete(post);
      onAnswered?.(by);
    };
    const stream = new SseStream(response, { clock, deadlines, ...limits, onEnd });
    if (!post) return stream.response;
    this.#responses ??= new Map();
    this.#responses.set(post, stream);
    return stream.response;
  }

  /** Opens the client's standalone stream. Its request does not count as in flight. */
  #streamStandalone({ onAnswered, ...limits }: StreamBounds): StandaloneStream {
    const { id, clock, deadlines, onStandaloneOpen, keptMs, onUse } = this.#options;
    let markClosed: ((by: StreamCloser) => void) | undefined = onStandaloneOpen();
    onAnswered?.('server');
    const headers = { ...STREAM_HEADERS, 'mcp-session-id': id };
    // The stream may end while it is made.
    let standalone: StandaloneStream | undefined;
    standalone = new StandaloneStream(headers, {
      clock,
      deadlines,
      ...limits,
      onResponsive: (isResponsive) => {
        if (!isResponsive) markClosed?.('server');
        markClosed = isResponsive ? onStandaloneOpen() : undefined;
      },
      onEnd: (by) => {
        if (this.#standalone === standalone) this.#standalone = undefined;
        this.#resumableUntilMs = clock.now() + keptMs;
        onUse(this);
        // The end of the TCP connection is a disconnect, even if the client did not answer the last ping.
        if (by === 'client') markClosed ??= onStandaloneOpen();
        markClosed?.(by);
      },
    });
    if (!standalone.isEnded) this.#standalone = standalone;
    return standalone;
  }
}

/** Whether the client of a GET has disconnected. */
function hasLeft(incoming: ConnectionRequest): boolean {
  return incoming.sink ? incoming.sink.isClosed : incoming.request.signal.aborted;
}

/** Whether the SDK's transport would open a stream for a GET. */
function mayOpenStream(headers: NonNullable<Post['headers']>): boolean {
  return isSupported({ headers }) && (headers.get('accept') ?? '').includes('text/event-stream');
}

/** Whether a GET opens the standalone stream, and is refused only if that is open. */
export function opensStandalone(headers: NonNullable<Post['headers']>): boolean {
  const lastEventId = headers.get('last-event-id');
  return mayOpenStream(headers) && (lastEventId === null || lastEventId.startsWith(`${STANDALONE_STREAM}/`));
}

/** Whether the revision of a request is one of a connection. */
export function isSupported({
  headers,
}: {
  readonly headers: { get(name: string): string | null };
}): boolean {
  const version = headers.get('mcp-protocol-version');
  return version === null || SUPPORTED_PROTOCOL_VERSIONS.includes(version);
}

function clientStateOf(body: unknown): ClientState {
  return { initialize: JSON.stringify(propertyOf(body, 'params')), logLevel: undefined };
}
