import type { AuthInfo, McpServer } from '@modelcontextprotocol/server';
import type { SessionId } from '../../session/ids.js';
import type { StreamCloser } from '../../session/presence.js';
import { messagesOf } from '../wire/json-rpc.js';
import { type CountUnread, isSseResponse, type SseResponse, SseStream } from '../wire/sse-stream.js';
import { EventBuffer, type EventBufferOptions, STANDALONE_STREAM } from './event-buffer.js';
import { isPingResponse, StandaloneStream } from './standalone-stream.js';
import { ConnectionTransport } from './transport.js';

export interface ConnectionOptions extends EventBufferOptions {
  /** Called when the client's standalone stream opens. @returns what to call when it is over. */
  readonly onStandaloneOpen: () => (by: StreamCloser) => void;
}

/** A request of a connection's client. */
export interface ConnectionRequest {
  readonly request: Request;
  readonly body: unknown;
  /** What tools may know of who is calling. */
  readonly authInfo: AuthInfo | undefined;
  readonly closeConnection: (() => void) | undefined;
  /** Counts the unread bytes of the client. Default: not counted. */
  readonly countUnread?: CountUnread | undefined;
  /** When the right to read what it opens runs out. Default: never. */
  readonly endsAtMs: number | undefined;
  /** Called when a stream that answers the request has ended; not called for other answers. */
  readonly onAnswered?: ((by: StreamCloser) => void) | undefined;
}

/** The deadline of a stream, and the callbacks that cut it, count its unread bytes and report its end. */
type StreamBounds = Pick<ConnectionRequest, 'closeConnection' | 'countUnread' | 'endsAtMs' | 'onAnswered'>;

/** The protocol session of one 2025 client: its server object, its streams, and what it may have missed. */
export class Connection {
  readonly #server: McpServer;
  readonly #options: ConnectionOptions;
  readonly #events: EventBuffer;
  readonly #transport: ConnectionTransport;
  #standalone: StandaloneStream | undefined;
  /** The streams that answer calls. */
  readonly #answers = new Map<object, SseStream>();

  constructor(server: McpServer, id: SessionId, options: ConnectionOptions) {
    this.#server = server;
    this.#options = options;
    this.#events = new EventBuffer(options);
    this.#transport = new ConnectionTransport(id, this.#events, options.currentRequest);
  }

  /** Makes it ready to serve. */
  async open(): Promise<void> {
    await this.#server.connect(this.#transport);
  }

  /** Serves a request, `initialize` first. */
  async serve(incoming: ConnectionRequest): Promise<Response> {
    const { request, body } = incoming;
    switch (request.method) {
      case 'GET':
        return this.#openStream(incoming);
      case 'POST':
        return this.#post(incoming);
      default:
        return this.#transport.handleRequest(request, body === undefined ? {} : { parsedBody: body });
    }
  }

  /** Forgets what could be asked for again: its user has signed out. */
  forgetEvents(): void {
    this.#events.clear();
  }

  /** Closes every stream. */
  async close(): Promise<void> {
    await this.#server.close();
    this.#events.clear();
  }

  async #post({ request, body, authInfo, ...bounds }: ConnectionRequest): Promise<Response> {
    const rest = this.#withoutPingAnswers(body);
    if (rest === undefined) return new Response(null, { status: 202 });
    const current = this.#options.currentRequest();
    if (current) this.#events.begin(current);
    const response = await this.#transport.serve(request, rest, { call: current, authInfo });
    return isSseResponse(response)
      ? this.#answer(response, current, { ...bounds, endsAtMs: undefined })
      : response;
  }

  /** What the SDK has to see of a body: not what answers the pings of the standalone stream. */
  #withoutPingAnswers(body: unknown): unknown {
    const messages = messagesOf(body);
    const others = messages.filter((message) => !isPingResponse(message));
    if (others.length === messages.length) return body;
    for (const message of messages) this.#standalone?.acceptPingResponse(message);
    return others.length === 0 ? undefined : others;
  }

  async #openStream({ request, ...bounds }: ConnectionRequest): Promise<Response> {
    const lastEventId = request.headers.get('last-event-id');
    // The status that ends reconnecting (HTML, "Server-sent events"). The client would resume an empty stream at once.
    if (lastEventId !== null && this.#events.isLast(lastEventId)) return new Response(null, { status: 204 });
    const stream = lastEventId === null ? STANDALONE_STREAM : this.#events.streamOf(lastEventId);
    if (stream === undefined || stream === STANDALONE_STREAM) {
      // Nothing is known of that event any more: the client gets what happens from now on.
      const response = await this.#openStandalone(stream ? request : withoutLastEventId(request));
      return isSseResponse(response) ? this.#hold(response, bounds) : response;
    }
    const call = this.#events.requestBehind(stream);
    let response = await this.#transport.handleRequest(request);
    if (response.status === 409 && call) {
      // Whoever knows an event of a call got it, and knows best that nothing comes that way any more.
      this.#answers.get(call)?.disconnect();
      response = await this.#transport.handleRequest(request);
    }
    return isSseResponse(response) ? this.#answer(response, call, bounds) : response;
  }

  /** Opens the standalone stream. Replaces an open one whose client does not answer a ping. */
  async #openStandalone(request: Request): Promise<Response> {
    const { signal } = request;
    const standing = this.#standalone;
    const response = await this.#transport.handleRequest(request);
    if (response.status !== 409 || !standing || (await standing.isResponsive()) || signal.aborted)
      return response;
    standing.replace();
    return this.#transport.handleRequest(request);
  }

  /** A stream that answers a call. */
  #answer(response: SseResponse, call: object | undefined, bounds: StreamBounds): Response {
    const { clock, deadlines } = this.#options;
    const { onAnswered, ...limits } = bounds;
    const onEnd = (by: StreamCloser) => {
      if (call && this.#answers.get(call) === answer) this.#answers.delete(call);
      onAnswered?.(by);
    };
    const answer = new SseStream(response, { clock, deadlines, ...limits, onEnd });
    if (call) this.#answers.set(call, answer);
    return answer.response;
  }

  /** The client's standalone stream. The request that opened it is answered. */
  #hold(response: SseResponse, { onAnswered, ...limits }: StreamBounds): Response {
    const { clock, deadlines, onStandaloneOpen } = this.#options;
    let leave: ((by: StreamCloser) => void) | undefined = onStandaloneOpen();
    onAnswered?.('server');
    const standalone = new StandaloneStream(response, {
      clock,
      deadlines,
      ...limits,
      onResponsive: (isHeard) => {
        if (!isHeard) leave?.('server');
        leave = isHeard ? onStandaloneOpen() : undefined;
      },
      onEnd: (by) => {
        if (this.#standalone === standalone) this.#standalone = undefined;
        // A closed transport is a disconnect, also of a client that no longer answers pings.
        if (by === 'client') leave ??= onStandaloneOpen();
        leave?.(by);
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
