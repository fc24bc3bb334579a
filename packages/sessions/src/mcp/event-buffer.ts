import type { EventId, EventStore, JSONRPCMessage, StreamId } from '@modelcontextprotocol/server';
import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';

/** A connection keeps no more events than this, */
const MOST_EVENTS = 100;
/** and no more of their text. */
const MOST_CHARACTERS = 256 * 1024;
/** The name that the SDK gives to the stream of a GET. */
export const STANDALONE_STREAM = '_GET_stream';

interface BufferedEvent {
  readonly stream: StreamId;
  readonly number: number;
  readonly message: JSONRPCMessage;
  readonly characters: number;
  readonly untilMs: number;
}

export interface EventBufferOptions {
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
  readonly #unanswered = new Set<StreamId>([STANDALONE_STREAM]);
  readonly #begunBy = new WeakMap<object, StreamId>();
  #characters = 0;
  #numbered = 0;
  #expiry: Deadline | undefined;

  constructor(options: EventBufferOptions) {
    this.#options = options;
  }

  /** How many events can be asked for. */
  get size(): number {
    return this.#events.length;
  }

  /** The stream that was begun for a request. */
  streamBegunBy(request: object): StreamId | undefined {
    return this.#begunBy.get(request);
  }

  storeEvent(stream: StreamId, message: JSONRPCMessage): Promise<EventId> {
    this.#noteStream(stream, message);
    const number = ++this.#numbered;
    const { clock, keptMs } = this.#options;
    const characters = JSON.stringify(message).length;
    this.#events.push({ stream, number, message, characters, untilMs: clock.now() + keptMs });
    this.#characters += characters;
    while (this.#events.length > MOST_EVENTS || this.#characters > MOST_CHARACTERS) this.#dropOldest();
    this.#awaitExpiry();
    return Promise.resolve(`${stream}/${number}`);
  }

  getStreamIdForEventId(eventId: EventId): Promise<StreamId | undefined> {
    return Promise.resolve(this.streamOf(eventId));
  }

  /** The stream an event was sent on; `undefined` if nothing can be had after it any more. */
  streamOf(eventId: EventId): StreamId | undefined {
    return this.#find(eventId)?.stream;
  }

  async replayEventsAfter(
    lastEventId: EventId,
    { send }: { send: (eventId: EventId, message: JSONRPCMessage) => Promise<void> },
  ): Promise<StreamId> {
    const last = this.#find(lastEventId);
    if (!last) throw new RangeError('Nothing is kept after this event.');
    const missed = this.#events.filter(
      ({ stream, number }) => stream === last.stream && number > last.number,
    );
    for (const { stream, number, message } of missed) await send(`${stream}/${number}`, message);
    return last.stream;
  }

  /** Forgets every event. What is under way can still be resumed. */
  clear(): void {
    this.#events = [];
    this.#characters = 0;
    this.#expiry?.cancel();
    this.#expiry = undefined;
  }

  #find(eventId: EventId): { stream: StreamId; number: number } | undefined {
    const separator = eventId.lastIndexOf('/');
    const stream = eventId.slice(0, separator);
    const number = Number(eventId.slice(separator + 1));
    const isKnown = this.#unanswered.has(stream) || this.#events.some((event) => event.stream === stream);
    return isKnown && Number.isInteger(number) && separator > 0 ? { stream, number } : undefined;
  }

  #noteStream(stream: StreamId, message: JSONRPCMessage): void {
    if (stream === STANDALONE_STREAM) return;
    if ('result' in message || 'error' in message) {
      this.#unanswered.delete(stream);
    } else if (!this.#unanswered.has(stream)) {
      this.#unanswered.add(stream);
      const request = this.#options.currentRequest();
      if (request) this.#begunBy.set(request, stream);
    }
  }

  #dropOldest(): void {
    const oldest = this.#events.shift();
    if (oldest) this.#characters -= oldest.characters;
  }

  #awaitExpiry(): void {
    const [oldest] = this.#events;
    if (this.#expiry || !oldest) return;
    this.#expiry = this.#options.deadlines.at(oldest.untilMs, () => {
      this.#expiry = undefined;
      const now = this.#options.clock.now();
      while (this.#events[0] && this.#events[0].untilMs <= now) this.#dropOldest();
      this.#awaitExpiry();
    });
  }
}
