import type { McpServer } from '@modelcontextprotocol/server';
import type { SessionId } from '../../session/ids.js';
import type { StreamCloser } from '../../session/presence.js';
import type { PlainCall } from '../plain-tools/plain-call.js';
import type { SlowCalls } from '../server/slow-calls.js';
import { messagesOf } from '../wire/json-rpc.js';
import { ACCEPTED, isPlainAnswer, type PlainAnswer } from '../wire/plain-answer.js';
import { type CountUnread, isSseResponse, type SseResponse, SseStream } from '../wire/sse-stream.js';
import { DirectCalls, type DirectCallsOptions } from './direct-calls.js';
import type { EarlyAnswer } from './early-answer.js';
import { EventBuffer, type EventBufferOptions, STANDALONE_STREAM } from './event-buffer.js';
import { isPingResponse, StandaloneStream } from './standalone-stream.js';
import { ConnectionTransport, cancelledIdsOf, type HandedOver, type Post } from './transport.js';

export interface ConnectionOptions extends EventBufferOptions {
  /** What calls tools without the SDK. Absent: the SDK dispatches all calls. */
  readonly direct?: Omit<DirectCallsOptions, 'transport' | 'now'> | undefined;
  readonly slowCalls: SlowCalls<EarlyAnswer>;
  /** Called when the client's standalone stream opens. @returns a function to call when the stream ends */
  readonly onStandaloneOpen: () => (by: StreamCloser) => void;
}

/** A request on a connection. */
export interface ConnectionRequest extends Post {
  /** Whether it is a POST, so that `request` need not be read. Default: as `request` says. */
  readonly isPost?: boolean | undefined;
  readonly body: unknown;
  readonly closeConnection: (() => void) | undefined;
  /** Counts the unread bytes of the client. Default: not counted. */
  readonly countUnread?: CountUnread | undefined;
  /** When the access token of the request expires, which ends the streams that it opens. Default: never. */
  readonly endsAtMs: number | undefined;
  /** Called when the stream of the response has ended. Not called for other responses. */
  readonly onAnswered?: ((by: StreamCloser) => void) | undefined;
  /** The call in the request, if it may be served without the SDK. */
  readonly call?: PlainCall | undefined;
}

/** The deadline of a stream, and the callbacks that cut it, count its unread bytes and report its end. */
type StreamBounds = Pick<ConnectionRequest, 'closeConnection' | 'countUnread' | 'endsAtMs' | 'onAnswered'>;

/** The protocol session of one 2025 client: its server object, its streams, and the events that it can replay. */
export class Connection {
  readonly #server: McpServer;
  readonly #options: ConnectionOptions;
  readonly #events: EventBuffer;
  readonly #transport: ConnectionTransport;
  readonly #direct: DirectCalls | undefined;
  #standalone: StandaloneStream | undefined;
  /** The response streams of POSTs in flight. */
  readonly #responses = new Map<object, SseStream>();

  constructor(server: McpServer, id: SessionId, options: ConnectionOptions) {
    this.#server = server;
    this.#options = options;
    this.#events = new EventBuffer(options);
    const { currentPost, slowCalls, direct, clock } = options;
    const transport = new ConnectionTransport({ id, events: this.#events, currentPost, slowCalls });
    this.#transport = transport;
    this.#direct = direct && new DirectCalls({ ...direct, transport, now: () => clock.now() });
  }

  /** Connects the server object to the transport. Call it before `serve`. */
  async open(): Promise<void> {
    await this.#server.connect(this.#transport);
  }

  /** Serves a request. The first one must be `initialize`. */
  serve(incoming: ConnectionRequest): Promise<Response | PlainAnswer> {
    if (incoming.isPost) return this.#post(incoming);
    const { request, body } = incoming;
    switch (request.method) {
      case 'GET':
        return this.#openStream(incoming);
      case 'POST':
        return this.#post(incoming);
      default:
        return this.#delete(request, body);
    }
  }

  /** Drops the events that could be replayed, because the user has signed out. */
  forgetEvents(): void {
    this.#events.clear();
  }

  /** Ends calls in flight with an error, and closes every stream. */
  async close(): Promise<void> {
    await this.#direct?.handOverAll();
    await this.#server.close();
    this.#events.clear();
  }

  async #delete(request: Request, body: unknown): Promise<Response> {
    await this.#direct?.handOverAll();
    return this.#transport.handleRequest(request, body === undefined ? {} : { parsedBody: body });
  }

  #post(incoming: ConnectionRequest): Promise<Response | PlainAnswer> {
    const { call } = incoming;
    return call && this.#direct
      ? this.#direct.serve(call, incoming, (handedOver) => this.#postToSdk(incoming, handedOver))
      : this.#postToSdk(incoming);
  }

  async #postToSdk(incoming: ConnectionRequest, handedOver?: HandedOver): Promise<Response | PlainAnswer> {
    const rest = this.#withoutPingResponses(incoming.body);
    if (rest === undefined) return ACCEPTED;
    for (const id of cancelledIdsOf(rest)) await this.#direct?.handOver(id);
    const answer = await this.#transport.serve({ incoming, body: rest, handedOver });
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

  async #openStream(incoming: ConnectionRequest): Promise<Response> {
    const { request, closeConnection, countUnread, endsAtMs, onAnswered } = incoming;
    const bounds = { closeConnection, countUnread, endsAtMs, onAnswered };
    const lastEventId = request.headers.get('last-event-id');
    // 204 stops reconnection (HTML, "Server-sent events"). After an empty stream, the client would reconnect at once.
    if (lastEventId !== null && this.#events.isLast(lastEventId)) return new Response(null, { status: 204 });
    const stream = lastEventId === null ? STANDALONE_STREAM : this.#events.streamOf(lastEventId);
    if (stream === undefined || stream === STANDALONE_STREAM) {
      // The stream cannot be resumed after that event. The client gets a new stream.
      const response = await this.#openStandalone(stream ? request : withoutLastEventId(request));
      return isSseResponse(response) ? this.#streamStandalone(response, bounds) : response;
    }
    const post = this.#events.postOf(stream);
    let response = await this.#transport.handleRequest(request);
    if (response.status === 409 && post) {
      // Only the client of the open stream knows its event ids, so that stream is dead.
      this.#responses.get(post)?.disconnect();
      response = await this.#transport.handleRequest(request);
    }
    return isSseResponse(response) ? this.#streamResponse(response, post, bounds) : response;
  }

  /** Opens the standalone stream. Replaces an open one whose client does not answer a ping. */
  async #openStandalone(request: Request): Promise<Response> {
    const { signal } = request;
    const open = this.#standalone;
    const response = await this.#transport.handleRequest(request);
    if (response.status !== 409 || !open || (await open.isResponsive()) || signal.aborted) return response;
    open.replace();
    return this.#transport.handleRequest(request);
  }

  /** Streams the response to a POST. */
  #streamResponse(response: SseResponse, post: object | undefined, bounds: StreamBounds): Response {
    const { clock, deadlines } = this.#options;
    const { onAnswered, ...limits } = bounds;
    const onEnd = (by: StreamCloser) => {
      if (post && this.#responses.get(post) === stream) this.#responses.delete(post);
      onAnswered?.(by);
    };
    const stream = new SseStream(response, { clock, deadlines, ...limits, onEnd });
    if (post) this.#responses.set(post, stream);
    return stream.response;
  }

  /** Opens the client's standalone stream. Its request does not count as in flight. */
  #streamStandalone(response: SseResponse, { onAnswered, ...limits }: StreamBounds): Response {
    const { clock, deadlines, onStandaloneOpen } = this.#options;
    let markClosed: ((by: StreamCloser) => void) | undefined = onStandaloneOpen();
    onAnswered?.('server');
    const standalone = new StandaloneStream(response, {
      clock,
      deadlines,
      ...limits,
      onResponsive: (isResponsive) => {
        if (!isResponsive) markClosed?.('server');
        markClosed = isResponsive ? onStandaloneOpen() : undefined;
      },
      onEnd: (by) => {
        if (this.#standalone === standalone) this.#standalone = undefined;
        // The end of the TCP connection is a disconnect, even if the client did not answer the last ping.
        if (by === 'client') markClosed ??= onStandaloneOpen();
        markClosed?.(by);
      },
    });
    this.#standalone = standalone;
    return standalone.response;
  }
}

function withoutLastEventId(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.delete('last-event-id');
  return new Request(request.url, { headers, signal: request.signal });
}
