import type { EventId, EventStore, JSONRPCMessage, StreamId } from '@modelcontextprotocol/server';
import { bytesOfText, type QuotaShare } from '../../limits/memory-quota.js';
import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';

/** The maximum number of events of a connection. */
const MAX_EVENTS = 100;
/** The SDK's id of the standalone stream, which a client opens with GET. */
export const STANDALONE_STREAM = '_GET_stream';

const EVENT_ID = /^(.+)\/(\d{1,15})$/;

/** An event, by its stream and its number on the connection. */
interface SentEvent {
  readonly stream: StreamId;
  readonly number: number;
}

interface BufferedEvent extends SentEvent {
  /** The message as JSON: the size of a string in memory is known, that of an object is not. */
  readonly text: string;
  readonly untilMs: number;
}

export interface EventBufferOptions {
  /** Counts the kept bytes, and refuses those above the limit. */
  readonly kept: QuotaShare;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** How long an event can be replayed. */
  readonly keptMs: number;
  /** The POST that is being served, as an object that identifies it. */
  readonly currentPost: () => object | undefined;
}

/** A POST with calls. */
interface PostedCalls {
  readonly calls: number;
  /** The number of times that the buffer had been cleared when the POST arrived. */
  readonly generation: number;
}

/** A stream that will bring further responses. */
interface OpenStream {
  readonly post: object | undefined;
  unanswered: number;
}

/**
 * The last events of one connection. A client whose stream broke gets the rest of it with `Last-Event-ID` (MCP
 * 2025-11-25, "Resumability and Redelivery"). Bounded in number, bytes and time. The SDK stores each event before it
 * sends it: only the SDK knows the stream of a message (ADR 7, "Resumption").
 */
export class EventBuffer implements EventStore {
  readonly #options: EventBufferOptions;
  #events: BufferedEvent[] = [];
  /** Open streams of POSTs can be resumed even if none of their events is left. */
  #open: Map<StreamId, OpenStream> | undefined;
  #posts: WeakMap<object, PostedCalls> | undefined;
  #generation = 0;
  #bytes = 0;
  #numbered: number;
  #isPaused = false;
  #expiry: Deadline | undefined;

  /** @param numbered the number of events that the connection has had */
  constructor(options: EventBufferOptions, numbered = 0) {
    this.#options = options;
    this.#numbered = numbered;
  }

  /** The number of events that the connection has had. */
  get numbered(): number {
    return this.#numbered;
  }

  /** The number of events that can be replayed. */
  get size(): number {
    return this.#events.length;
  }

  /** Notes the calls of a POST, before the SDK opens their stream. */
  begin(post: object, calls: number): void {
    this.#posts ??= new WeakMap();
    this.#posts.set(post, { calls, generation: this.#generation });
  }

  /** Whether a POST arrived before the buffer was cleared. The next user must not see its events. */
  isStale(post: object | undefined): boolean {
    return post !== undefined && this.#posts?.get(post)?.generation !== this.#generation;
  }

  /** The POST whose responses an open stream brings. */
  postOf(stream: StreamId): object | undefined {
    return this.#open?.get(stream)?.post;
  }

  /**
   * Stores a message, or the priming event that opens the stream of a POST.
   * @returns the event id; an empty one, which the SDK omits, on a stream without a priming event. Before revision
   * 2025-11-25, clients resume a stream with event ids even after it has brought the response
   */
  storeEvent(stream: StreamId, message: JSONRPCMessage): Promise<EventId> {
    if (this.#isPaused) return Promise.resolve('');
    const isPriming = !('jsonrpc' in message);
    if (isPriming) this.#openStream(stream);
    else if (!this.#isResumable(stream)) return Promise.resolve('');
    const number = ++this.#numbered;
    if (!isPriming && !this.#isStaleStream(stream)) this.#keep(stream, number, message);
    if ('result' in message || 'error' in message) this.#countResponse(stream);
    return Promise.resolve(`${stream}/${number}`);
  }

  getStreamIdForEventId(eventId: EventId): Promise<StreamId | undefined> {
    return Promise.resolve(this.streamOf(eventId));
  }

  /** The stream of an event; `undefined` if the stream cannot be resumed after it. */
  streamOf(eventId: EventId): StreamId | undefined {
    return this.#find(eventId)?.stream;
  }

  /** Whether an event belongs to the stream of a POST, and no event follows it. */
  isLast(eventId: EventId): boolean {
    const [, stream] = EVENT_ID.exec(eventId) ?? [];
    if (stream === undefined || stream === STANDALONE_STREAM) return false;
    const found = this.#find(eventId);
    if (!found) return true;
    return !this.#isOpen(stream) && !this.#events.some((event) => isAfter(event, found));
  }

  async replayEventsAfter(
    lastEventId: EventId,
    { send }: { send: (eventId: EventId, message: JSONRPCMessage) => Promise<void> },
  ): Promise<StreamId> {
    const last = this.#find(lastEventId);
    if (!last) throw new RangeError('The stream cannot be resumed after this event.');
    const missed = this.#events.filter((event) => isAfter(event, last));
    // Each text is a serialized message.
    for (const { stream, number, text } of missed)
      await send(`${stream}/${number}`, JSON.parse(text) as JSONRPCMessage);
    return last.stream;
  }

  /** The events that follow another one on its stream, each as its id and its JSON. The oldest first. */
  *after(lastEventId: EventId): Generator<readonly [id: EventId, json: string], void, undefined> {
    const last = this.#find(lastEventId);
    if (!last) return;
    for (const event of this.#events)
      if (isAfter(event, last)) yield [`${event.stream}/${event.number}`, event.text];
  }

  /** Stores nothing and numbers nothing while `run` runs: what is sent meanwhile reaches no client. */
  async pausedWhile(run: () => Promise<void>): Promise<void> {
    this.#isPaused = true;
    try {
      await run();
    } finally {
      this.#isPaused = false;
    }
  }

  /** Drops the events of `initialize`, whose client has seen no event ids. */
  restart(): void {
    if (this.#isPaused) return;
    this.clear();
    this.#numbered = 0;
  }

  /** Drops every event, and stores none of calls in flight: they belong to the user who has signed out. */
  clear(): void {
    this.#events = [];
    this.#bytes = 0;
    this.#options.kept.release();
    this.#expiry?.cancel();
    this.#expiry = undefined;
    this.#generation++;
  }

  /** Frees what only requests in flight need: there are none. What a call has started may still send events. */
  rest(): void {
    this.#open = undefined;
  }

  #isOpen(stream: StreamId): boolean {
    return stream === STANDALONE_STREAM || this.#open?.has(stream) === true;
  }

  #openStream(stream: StreamId): void {
    const post = this.#options.currentPost();
    const unanswered = (post && this.#posts?.get(post)?.calls) ?? 1;
    this.#open ??= new Map();
    this.#open.set(stream, { post, unanswered });
  }

  #countResponse(stream: StreamId): void {
    const open = this.#open?.get(stream);
    if (open && --open.unanswered === 0) this.#open?.delete(stream);
  }

  #find(eventId: EventId): SentEvent | undefined {
    const [, stream = '', digits] = EVENT_ID.exec(eventId) ?? [];
    const number = Number(digits);
    const isOpen = this.#isOpen(stream) && !this.#isStaleStream(stream);
    const isKnown = isOpen || this.#events.some((event) => event.stream === stream);
    return isKnown && number >= 1 && number <= this.#numbered ? { stream, number } : undefined;
  }

  #isResumable(stream: StreamId): boolean {
    return this.#isOpen(stream) || this.#events.some((event) => event.stream === stream);
  }

  #isStaleStream(stream: StreamId): boolean {
    return this.isStale(this.postOf(stream));
  }

  #keep(stream: StreamId, number: number, message: JSONRPCMessage): void {
    const text = JSON.stringify(message);
    const untilMs = this.#options.clock.now() + this.#options.keptMs;
    this.#events.push({ stream, number, text, untilMs });
    this.#bytes += bytesOfText(text);
    while (this.#events.length > MAX_EVENTS || !this.#options.kept.resize(this.#bytes)) this.#dropOldest();
    this.#awaitExpiry();
  }

  #dropOldest(): void {
    const oldest = this.#events.shift();
    if (oldest) this.#bytes -= bytesOfText(oldest.text);
  }

  #awaitExpiry(): void {
    const [oldest] = this.#events;
    if (this.#expiry || !oldest) return;
    this.#expiry = this.#options.deadlines.at(oldest.untilMs, () => {
      this.#expiry = undefined;
      const now = this.#options.clock.now();
      while (this.#events[0] && this.#events[0].untilMs <= now) this.#dropOldest();
      this.#options.kept.resize(this.#bytes);
      this.#awaitExpiry();
    });
  }
}

function isAfter(event: SentEvent, last: SentEvent): boolean {
  return event.stream === last.stream && event.number > last.number;
}
