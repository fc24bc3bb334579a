import { SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server';
import type { ClientKey } from '../../limits/client-key.js';
import { FairEviction } from '../../limits/fair-eviction.js';
import type { ChangeElsewhere } from '../../session/followed-session.js';
import type { SessionRef } from '../../session/ids.js';
import type { StreamCloser } from '../../session/presence.js';
import type { InternalEvent } from '../../session/session-events.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';
import { STATUS_URI, statusChangedBy } from '../server/status-resource.js';
import { propertyOf } from '../wire/json-rpc.js';
import { type SseResponse, SseStream, type SseStreamOptions } from '../wire/sse-stream.js';

export interface ListenStreamsOptions {
  readonly registry: SessionRegistry;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/** The maximum number of streams of one session. */
const MAX_STREAMS_PER_SESSION = 4;
/** The maximum number of streams without a session on this node. */
const MAX_STREAMS_WITHOUT_SESSION = 500;
/** The maximum number of streams without a session of one address. */
const MAX_STREAMS_PER_CLIENT = 50;
/** The quota key of streams that count for no address. */
const NO_CLIENT_KEY = '';

/** The session and the address that a stream counts for. */
export interface Subscriber {
  /** Absent if the request names no session. */
  readonly ref: SessionRef | undefined;
  /** Absent for local clients and for unknown addresses. */
  readonly clientKey: ClientKey | undefined;
}

/** The deadline of a stream, and the callbacks that cut it, count its unread bytes and report its end. */
type StreamBounds = Pick<SseStreamOptions, 'closeConnection' | 'countUnread' | 'endsAtMs' | 'onEnd'>;

/** One client's `subscriptions/listen`. */
interface ListenStream {
  /** The JSON-RPC id of its request, which all its messages carry. */
  readonly id: unknown;
  /** The resources whose changes are sent. None until the stream has acknowledged the subscription. */
  uris: readonly string[];
  readonly stream: SseStream;
}

/**
 * The open `subscriptions/listen` streams of 2026 clients. A stream that names a session gets the status changes of
 * that session only, and ends with it. The SDK sends every change to every stream, because it does not know sessions.
 */
export class ListenStreams {
  readonly #registry: SessionRegistry;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #streams = new Map<SessionRef, Set<ListenStream>>();
  readonly #withoutSession = new FairEviction<ListenStream>();

  constructor({ registry, clock, deadlines }: ListenStreamsOptions) {
    this.#registry = registry;
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  /** Follows an event, or a change by another node. Call it for each one. */
  handleEvent(event: InternalEvent | ChangeElsewhere): void {
    const changed = statusChangedBy(event);
    if (changed) this.notify(changed, STATUS_URI);
    if (event.type === 'session.ended') this.#end(event.ref);
  }

  /** The number of open streams. */
  get size(): number {
    let { size } = this.#withoutSession;
    for (const streams of this.#streams.values()) size += streams.size;
    return size;
  }

  /** Whether one more stream may be opened. On a full node it may replace the oldest stream of the largest client. */
  hasRoomFor({ ref, clientKey }: Subscriber): boolean {
    if (ref !== undefined) return (this.#streams.get(ref)?.size ?? 0) < MAX_STREAMS_PER_SESSION;
    const { size } = this.#withoutSession.of(clientKey ?? NO_CLIENT_KEY);
    if (clientKey !== undefined && size >= MAX_STREAMS_PER_CLIENT) return false;
    // Clients with equally many streams must not evict each other in turn.
    return (
      this.#withoutSession.size < MAX_STREAMS_WITHOUT_SESSION ||
      size + 1 < this.#withoutSession.largest().size
    );
  }

  /**
   * Adds a stream.
   * @param body the listen request
   * @param response the response of the SDK
   * @returns the response to send in its place
   */
  async add(
    { ref, clientKey }: Subscriber,
    body: unknown,
    response: SseResponse,
    bounds: StreamBounds,
  ): Promise<Response> {
    return ref === undefined
      ? this.#addWithoutSession(clientKey, body, response, bounds)
      : this.#addOfSession(ref, body, response, bounds);
  }

  async #addOfSession(
    ref: SessionRef,
    body: unknown,
    response: SseResponse,
    bounds: StreamBounds,
  ): Promise<Response> {
    const closed = this.#registry.streamOpened(ref);
    const onEnd = (by: StreamCloser) => {
      this.#forget(ref, listening);
      closed(by);
      bounds.onEnd?.(by);
    };
    const listening = this.#listenStream(body, response, { ...bounds, onEnd });
    const streams = this.#streams.get(ref) ?? new Set();
    this.#streams.set(ref, streams.add(listening));
    // The acknowledgement must be the first message of the stream.
    await listening.stream.started;
    listening.uris = subscribedUrisOf(body);
    // If the session has ended since the request was resolved, its event has been missed.
    if (!(await this.#registry.has(ref))) this.#end(ref);
    return listening.stream.response;
  }

  #addWithoutSession(
    clientKey: ClientKey | undefined,
    body: unknown,
    response: SseResponse,
    bounds: StreamBounds,
  ): Response {
    const [oldest] = this.#withoutSession.largest();
    if (oldest && this.#withoutSession.size >= MAX_STREAMS_WITHOUT_SESSION) complete(oldest);
    const onEnd = (by: StreamCloser) => {
      this.#withoutSession.delete(listening);
      bounds.onEnd?.(by);
    };
    const listening = this.#listenStream(body, response, { ...bounds, onEnd });
    this.#withoutSession.add(listening, clientKey ?? NO_CLIENT_KEY);
    return listening.stream.response;
  }

  #listenStream(body: unknown, response: SseResponse, bounds: StreamBounds): ListenStream {
    const stream = new SseStream(response, { clock: this.#clock, deadlines: this.#deadlines, ...bounds });
    return { id: propertyOf(body, 'id'), uris: [], stream };
  }

  /** Notifies the streams of a session that have subscribed to a resource. */
  notify(ref: SessionRef, uri: string): void {
    for (const { id, uris, stream } of this.#streams.get(ref) ?? []) {
      if (!uris.includes(uri)) continue;
      const params = { uri, _meta: { [SUBSCRIPTION_ID_META_KEY]: id } };
      stream.send({ jsonrpc: '2.0', method: 'notifications/resources/updated', params });
    }
  }

  #end(ref: SessionRef): void {
    for (const listening of this.#streams.get(ref) ?? []) complete(listening);
  }

  #forget(ref: SessionRef, listening: ListenStream): void {
    const streams = this.#streams.get(ref);
    streams?.delete(listening);
    if (streams?.size === 0) this.#streams.delete(ref);
  }
}

/** Ends a subscription in the way of MCP 2026-07-28, subscriptions, "Graceful Closure". */
function complete({ id, stream }: ListenStream): void {
  const result = { resultType: 'complete', _meta: { [SUBSCRIPTION_ID_META_KEY]: id } };
  stream.send({ jsonrpc: '2.0', id, result });
  stream.end();
}

/** The URIs that a `subscriptions/listen` request names. */
export function subscribedUrisOf(body: unknown): string[] {
  const uris = propertyOf(propertyOf(propertyOf(body, 'params'), 'notifications'), 'resourceSubscriptions');
  // The SDK rejects URIs that are not strings.
  return Array.isArray(uris) ? uris.filter((uri) => typeof uri === 'string') : [];
}
