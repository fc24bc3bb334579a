import type { McpServer, RequestId, StreamId } from '@modelcontextprotocol/server';
import type { SessionId } from '../session/ids.js';
import { ConnectionTransport } from './connection-transport.js';
import { EventBuffer, type EventBufferOptions, STANDALONE_STREAM } from './event-buffer.js';
import { EventStream, isEventStream, type StreamEnd, type StreamResponse } from './event-stream.js';
import { methodOf, propertyOf, requestIdsOf } from './json-rpc.js';
import { ErrorCode, errorResponse } from './protocol-error.js';
import { isPingAnswer, StandaloneStream } from './standalone-stream.js';

export interface ConnectionOptions extends EventBufferOptions {
  /** Called when the client's standalone stream opens. @returns what to call when it is over. */
  readonly onPresent: () => (by: StreamEnd) => void;
}

/** A request of a connection's client. */
export interface ConnectionRequest {
  readonly request: Request;
  readonly body: unknown;
  readonly hangUp: (() => void) | undefined;
}

/** The protocol session of one 2025 client: its server object, its streams, and what it may have missed. */
export class Connection {
  readonly #server: McpServer;
  readonly #options: ConnectionOptions;
  readonly #events: EventBuffer;
  readonly #transport: ConnectionTransport;
  #standalone: StandaloneStream | undefined;
  /** The streams that answer calls, by the SDK's names for them. */
  readonly #answers = new Map<StreamId, EventStream>();

  constructor(server: McpServer, id: SessionId, options: ConnectionOptions) {
    this.#server = server;
    this.#options = options;
    this.#events = new EventBuffer(options);
    this.#transport = new ConnectionTransport(id, this.#events);
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

  async #post({ request, body, hangUp }: ConnectionRequest): Promise<Response> {
    if (isPingAnswer(body)) {
      this.#standalone?.takeAnswer(body);
      return new Response(null, { status: 202 });
    }
    const ids = requestIdsOf(body);
    if (new Set(ids).size < ids.length || ids.some((id) => this.#transport.isServing(id))) {
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        'A request with this id is still being served. Give every request of a session an id of its own.',
      );
    }
    const response = await this.#transport.serve(request, body, ids);
    if (methodOf(body) === 'notifications/cancelled') {
      await this.#transport.dropCancelled(propertyOf(propertyOf(body, 'params'), 'requestId') as RequestId);
    }
    if (!isEventStream(response)) return response;
    const current = this.#options.currentRequest();
    return this.#answer(response, current && this.#events.streamBegunBy(current), hangUp);
  }

  async #openStream({ request, hangUp }: ConnectionRequest): Promise<Response> {
    const lastEventId = request.headers.get('last-event-id');
    const stream = lastEventId === null ? STANDALONE_STREAM : this.#events.streamOf(lastEventId);
    const isStandalone = stream === undefined || stream === STANDALONE_STREAM;
    // Whoever knows an event of a call got it, and knows best that nothing comes that way any more.
    if (!isStandalone) this.#answers.get(stream)?.giveUp();
    const response = await this.#transport.handleRequest(
      // Nothing is known of that event any more: the client gets what happens from now on.
      stream === undefined ? withoutLastEventId(request) : request,
    );
    if (isStandalone && response.status === 409) this.#standalone?.probe();
    if (!isEventStream(response)) return response;
    return isStandalone ? this.#hold(response, hangUp) : this.#answer(response, stream, hangUp);
  }

  /** A stream that answers a call. */
  #answer(
    response: StreamResponse,
    stream: StreamId | undefined,
    hangUp: ConnectionRequest['hangUp'],
  ): Response {
    const { clock, deadlines } = this.#options;
    const onEnd = () => {
      if (stream !== undefined && this.#answers.get(stream) === answer) this.#answers.delete(stream);
    };
    const answer = new EventStream(response, { clock, deadlines, hangUp, onEnd });
    if (stream !== undefined) this.#answers.set(stream, answer);
    return answer.response;
  }

  /** The client's standalone stream. */
  #hold(response: StreamResponse, hangUp: ConnectionRequest['hangUp']): Response {
    const { clock, deadlines, onPresent } = this.#options;
    const ended = onPresent();
    const standalone = new StandaloneStream(response, {
      clock,
      deadlines,
      hangUp,
      onEnd: (by) => {
        if (this.#standalone === standalone) this.#standalone = undefined;
        ended(by);
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
