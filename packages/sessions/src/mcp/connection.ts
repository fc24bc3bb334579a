import type { McpServer, RequestId } from '@modelcontextprotocol/server';
import type { SessionId } from '../session/ids.js';
import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';
import { ConnectionTransport } from './connection-transport.js';
import { EventBuffer } from './event-buffer.js';
import { EventStream, isEventStream, type StreamEnd } from './event-stream.js';
import { methodOf, propertyOf, requestIdsOf } from './json-rpc.js';
import { ErrorCode, errorResponse } from './protocol-error.js';
import { isPingAnswer, StandaloneStream } from './standalone-stream.js';

/** How long a client waits before it comes back for the rest of a stream (SSE `retry`). */
const RETRY_MS = 1000;

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** How long a client whose stream broke can ask for what it missed. */
  readonly resumableMs: number;
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

  constructor(server: McpServer, id: SessionId, options: ConnectionOptions) {
    const { clock, deadlines, resumableMs } = options;
    this.#server = server;
    this.#options = options;
    this.#events = new EventBuffer({ clock, deadlines, keptMs: resumableMs });
    this.#transport = new ConnectionTransport({
      sessionIdGenerator: () => id,
      eventStore: this.#events,
      retryInterval: RETRY_MS,
    });
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
    return isEventStream(response) ? new EventStream(response, { hangUp }).response : response;
  }

  async #openStream({ request, hangUp }: ConnectionRequest): Promise<Response> {
    const lastEventId = request.headers.get('last-event-id');
    const isStandalone = lastEventId === null ? true : this.#events.isStandalone(lastEventId);
    const response = await this.#transport.handleRequest(
      // Nothing is known of that event any more: the client gets what happens from now on.
      isStandalone === undefined ? withoutLastEventId(request) : request,
    );
    if (response.status === 409) this.#standalone?.probe();
    if (!isEventStream(response)) return response;
    if (isStandalone === false) return new EventStream(response, { hangUp }).response;
    return this.#hold(response, hangUp);
  }

  #hold(
    response: Response & { body: ReadableStream<Uint8Array> },
    hangUp: (() => void) | undefined,
  ): Response {
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
