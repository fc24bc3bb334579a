import type { EventId, EventStore, JSONRPCMessage, StreamId } from '@modelcontextprotocol/server';
import { bytesOfText, type KeptShare } from '../../limits/kept-bytes.js';
import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';

/** The maximum number of events of a connection. */
const MAX_EVENTS = 100;
/** The name that the SDK gives to the stream of a GET. */
export const STANDALONE_STREAM = '_GET_stream';

const EVENT_ID = /^(.+)\/(\d{1,15})$/;

/** The number of the event on its connection. */
interface SentEvent {
  readonly stream: StreamId;
  readonly number: number;
}

interface BufferedEvent extends SentEvent {
  /** The message as JSON, because the size of its objects in memory is not known. */
  readonly text: string;
  readonly untilMs: number;
}

export interface EventBufferOptions {
  /** Counts the kept bytes, and refuses those above the limit. */
  readonly kept: KeptShare;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** How long an event can be asked for again. */
  readonly keptMs: number;
  /** The request that is being served, as an object that stands for no other. */
  readonly currentRequest: () => object | undefined;
}

/**
 * What one connection was sent lately, so that a client whose stream broke can have the rest of it
 * (`Last-Event-ID`, MCP 2025-11-25 "Resumability and Redelivery"). Bounded in number, size and time; it
 * belongs to its connection and knows of no other.
 */
export class EventBuffer implements EventStore {
  readonly #options: EventBufferOptions;
  #events: BufferedEvent[] = [];
  /** The streams of calls that have not been answered: they can be resumed even if all they were sent is gone. */
  readonly #unanswered = new Map<StreamId, object | undefined>([[STANDALONE_STREAM, undefined]]);
  /** How often everything had been forgotten when a request began: nothing is kept of one from before. */
  readonly #begun = new WeakMap<object, number>();
  #clearings = 0;
  #storingFor: object | undefined;
  #bytes = 0;
  #numbered = 0;
  #expiry: Deadline | undefined;

  constructor(options: EventBufferOptions) {
    this.#options = options;
  }

  /** How many events can be asked for. */
  get size(): number {
    return this.#events.length;
  }

  /** Notes that a request begins. */
  begin(request: object): void {
    this.#begun.set(request, this.#clearings);
  }

  /** Runs what stores an event for a request before it waits for anything, wherever it was called from. */
  storing<T>(request: object | undefined, store: () => T): T {
    this.#storingFor = request;
    try {
      return store();
    } finally {
      this.#storingFor = undefined;
    }
  }

  /** Whether a request was made before everything was forgotten last: what comes of it is for nobody else. */
  isStale(request: object | undefined): boolean {
    return request !== undefined && this.#begun.get(request) !== this.#clearings;
  }

  /** The request that a stream answers, while it does. */
  requestBehind(stream: StreamId): object | undefined {
    return this.#unanswered.get(stream);
  }

  /**
   * @returns the event id; an empty one, which the SDK omits, on the stream of a call that did not begin with a priming
   * event. Before revision 2025-11-25, clients resume a stream with event ids even after it has brought the answer
   */
  storeEvent(stream: StreamId, message: JSONRPCMessage): Promise<EventId> {
    const isPriming = !('jsonrpc' in message);
    if (!isPriming && !this.#isResumable(stream)) return Promise.resolve('');
    const number = ++this.#numbered;
    const request = this.#storingFor ?? this.#options.currentRequest();
    if (!this.#unanswered.has(stream)) this.#unanswered.set(stream, request);
    if (!isPriming && !this.#isOfBefore(stream)) this.#keep(stream, number, message);
    const isAnswer = 'result' in message || 'error' in message;
    if (isAnswer && stream !== STANDALONE_STREAM) this.#unanswered.delete(stream);
    return Promise.resolve(`${stream}/${number}`);
  }

  getStreamIdForEventId(eventId: EventId): Promise<StreamId | undefined> {
    return Promise.resolve(this.streamOf(eventId));
  }

  /** The stream an event was sent on; `undefined` if nothing can be had after it any more. */
  streamOf(eventId: EventId): StreamId | undefined {
    return this.#find(eventId)?.stream;
  }

  /** Whether an event belongs to the stream of a call, and no event will follow it. */
  isLast(eventId: EventId): boolean {
    const [, stream] = EVENT_ID.exec(eventId) ?? [];
    if (stream === undefined || stream === STANDALONE_STREAM) return false;
    const found = this.#find(eventId);
    if (!found) return true;
    return !this.#unanswered.has(stream) && !this.#events.some((event) => isAfter(event, found));
  }

  async replayEventsAfter(
    lastEventId: EventId,
    { send }: { send: (eventId: EventId, message: JSONRPCMessage) => Promise<void> },
  ): Promise<StreamId> {
    const last = this.#find(lastEventId);
    if (!last) throw new RangeError('Nothing is kept after this event.');
    const missed = this.#events.filter((event) => isAfter(event, last));
    // The text was made from a message.
    for (const { stream, number, text } of missed)
      await send(`${stream}/${number}`, JSON.parse(text) as JSONRPCMessage);
    return last.stream;
  }

  /** Forgets every event, and keeps nothing of what is under way: it is for whoever has been here until now. */
  clear(): void {
    this.#events = [];
    this.#bytes = 0;
    this.#options.kept.release();
    this.#expiry?.cancel();
    this.#expiry = undefined;
    this.#clearings++;
  }

  #find(eventId: EventId): SentEvent | undefined {
    const [, stream = '', digits] = EVENT_ID.exec(eventId) ?? [];
    const number = Number(digits);
    const isUnderWay = this.#unanswered.has(stream) && !this.#isOfBefore(stream);
    const isKnown = isUnderWay || this.#events.some((event) => event.stream === stream);
    return isKnown && number >= 1 && number <= this.#numbered ? { stream, number } : undefined;
  }

  #isResumable(stream: StreamId): boolean {
    return this.#unanswered.has(stream) || this.#events.some((event) => event.stream === stream);
  }

  #isOfBefore(stream: StreamId): boolean {
    return this.isStale(this.#unanswered.get(stream));
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
