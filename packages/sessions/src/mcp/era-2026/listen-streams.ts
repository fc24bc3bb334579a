import { SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server';
import type { ClientKey } from '../../limits/client-key.js';
import { FairEviction } from '../../limits/fair-eviction.js';
import type { SessionRef } from '../../session/ids.js';
import type { SessionEvents } from '../../session/session-events.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';
import { STATUS_URI, statusChangedBy } from '../server/status-resource.js';
import { propertyOf } from '../wire/json-rpc.js';
import { type SseResponse, SseStream, type SseStreamOptions } from '../wire/sse-stream.js';

export interface ListenStreamsOptions {
  readonly registry: SessionRegistry;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/** How many streams a session may have, */
const MAX_STREAMS_PER_SESSION = 4;
/** how many all those that name none, */
const MAX_STREAMS_WITHOUT_SESSION = 500;
/** and how many of these one address. */
const MAX_STREAMS_PER_CLIENT = 50;
/** Whose streams are that count for no address. */
const NO_CLIENT_KEY = '';

/** In whose name a stream is opened. */
export interface Subscriber {
  /** Absent: in nobody's. */
  readonly ref: SessionRef | undefined;
  /** The address that it counts for; absent for this machine's, and where it is not known. */
  readonly clientKey: ClientKey | undefined;
}

/** The deadline of a stream, and the callbacks that cut it, count its unread bytes and report its end. */
type StreamBounds = Pick<SseStreamOptions, 'closeConnection' | 'countUnread' | 'endsAtMs' | 'onEnd'>;

/** One client's `subscriptions/listen`. */
interface ListenStream {
  /** The JSON-RPC id of its request, which all its messages carry. */
  readonly id: unknown;
  /** Not before the acknowledgement. */
  hearsStatus: boolean;
  readonly stream: SseStream;
}

/**
 * The listen streams of 2026 clients. Of those that named a session each hears of its own session's status and no
 * other's, and ends with its session. The SDK's own way to them has no owners.
 */
export class ListenStreams {
  readonly #registry: SessionRegistry;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #streams = new Map<SessionRef, Set<ListenStream>>();
  readonly #withoutSession = new FairEviction<ListenStream>();

  constructor({ registry, events, clock, deadlines }: ListenStreamsOptions) {
    this.#registry = registry;
    this.#clock = clock;
    this.#deadlines = deadlines;
    events.subscribe((event) => {
      const changed = statusChangedBy(event);
      if (changed) this.#tell(changed);
      if (event.type === 'session.ended') this.#end(event.ref);
    });
  }

  /** How many streams are open. */
  get size(): number {
    let { size } = this.#withoutSession;
    for (const streams of this.#streams.values()) size += streams.size;
    return size;
  }

  /** Whether one more stream may be opened, be it that another one makes room for it. */
  hasRoomFor({ ref, clientKey }: Subscriber): boolean {
    if (ref !== undefined) return (this.#streams.get(ref)?.size ?? 0) < MAX_STREAMS_PER_SESSION;
    const { size } = this.#withoutSession.of(clientKey ?? NO_CLIENT_KEY);
    if (clientKey !== undefined && size >= MAX_STREAMS_PER_CLIENT) return false;
    // Whoever would then have the most would be the next to make room, in turn for ever.
    return (
      this.#withoutSession.size < MAX_STREAMS_WITHOUT_SESSION ||
      size + 1 < this.#withoutSession.largest().size
    );
  }

  /** Takes in the SDK's answer to a listen request. @returns what to answer instead. */
  async hold(
    { ref, clientKey }: Subscriber,
    body: unknown,
    response: SseResponse,
    bounds: StreamBounds,
  ): Promise<Response> {
    if (ref === undefined) return this.#holdWithoutSession(clientKey, body, response, bounds);
    const closed = this.#registry.streamOpened(ref);
    const stream = new SseStream(response, {
      clock: this.#clock,
      deadlines: this.#deadlines,
      ...bounds,
      onEnd: (by) => {
        this.#forget(ref, listening);
        closed(by);
        bounds.onEnd?.(by);
      },
    });
    const listening: ListenStream = { id: propertyOf(body, 'id'), hearsStatus: false, stream };
    const streams = this.#streams.get(ref) ?? new Set();
    this.#streams.set(ref, streams.add(listening));
    // The acknowledgement has to come first.
    await stream.started;
    listening.hearsStatus = hearsStatus(body);
    // The session may have ended meanwhile, and nobody would tell again.
    if (!this.#registry.has(ref)) this.#end(ref);
    return stream.response;
  }

  #holdWithoutSession(
    clientKey: ClientKey | undefined,
    body: unknown,
    response: SseResponse,
    bounds: StreamBounds,
  ): Response {
    const [oldest] = this.#withoutSession.largest();
    if (oldest && this.#withoutSession.size >= MAX_STREAMS_WITHOUT_SESSION) complete(oldest);
    const stream = new SseStream(response, {
      clock: this.#clock,
      deadlines: this.#deadlines,
      ...bounds,
      onEnd: (by) => {
        this.#withoutSession.delete(listening);
        bounds.onEnd?.(by);
      },
    });
    const listening: ListenStream = { id: propertyOf(body, 'id'), hearsStatus: false, stream };
    this.#withoutSession.add(listening, clientKey ?? NO_CLIENT_KEY);
    return stream.response;
  }

  #tell(ref: SessionRef): void {
    for (const { id, hearsStatus, stream } of this.#streams.get(ref) ?? []) {
      if (!hearsStatus) continue;
      const params = { uri: STATUS_URI, _meta: { [SUBSCRIPTION_ID_META_KEY]: id } };
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

/** The end that a server gives to a subscription (MCP 2026-07-28, subscriptions, "Graceful Closure"). */
function complete({ id, stream }: ListenStream): void {
  const result = { resultType: 'complete', _meta: { [SUBSCRIPTION_ID_META_KEY]: id } };
  stream.send({ jsonrpc: '2.0', id, result });
  stream.end();
}

function hearsStatus(body: unknown): boolean {
  const uris = propertyOf(propertyOf(propertyOf(body, 'params'), 'notifications'), 'resourceSubscriptions');
  return Array.isArray(uris) && uris.includes(STATUS_URI);
}
