import type { Deadline } from '../../time/deadlines.js';
import type { EventSink } from './event-sink.js';
import {
  type EndedBy,
  eventOf,
  MAX_IDLE_UNREAD_BYTES,
  MAX_UNREAD_BYTES,
  READ_TIMEOUT_MS,
  type SseStreamOptions,
  type UnreadCount,
} from './sse-stream.js';

/** A stream of server-sent events over a sink, with the bounds of a web-standard one. */
export class SinkStream {
  readonly #sink: EventSink;
  readonly #options: SseStreamOptions;
  #isEnded = false;
  #count: UnreadCount | undefined;
  #readTimeout: Deadline | undefined;
  readonly #expiry: Deadline | undefined;

  constructor(sink: EventSink, headers: Readonly<Record<string, string>>, options: SseStreamOptions) {
    this.#sink = sink;
    this.#options = options;
    const { deadlines, endsAtMs } = options;
    this.#expiry = endsAtMs === undefined ? undefined : deadlines.at(endsAtMs, () => this.end());
    sink.onClose(() => {
      this.#finish('client');
      this.#count?.release();
      this.#readTimeout?.cancel();
    });
    sink.onRead(() => this.#read());
    sink.start(headers);
  }

  /** Adds a JSON-RPC message. */
  send(message: unknown): void {
    this.sendEvent(JSON.stringify(message));
  }

  /** Adds a JSON-RPC message that is JSON already. @param id the event id. Default: none */
  sendEvent(json: string, id = ''): void {
    if (this.#isEnded) return;
    const sink = this.#sink;
    if (sink.unreadBytes > MAX_UNREAD_BYTES) {
      this.disconnect();
      return;
    }
    sink.write(eventOf(json, id));
    if (sink.unreadBytes === 0) return;
    this.#countUnread();
    if (sink.unreadBytes > MAX_IDLE_UNREAD_BYTES && !this.#readTimeout) this.#awaitRead();
  }

  /** Ends the stream after the messages that have been written. */
  end(): void {
    if (this.#isEnded) return;
    this.#finish('server');
    this.#sink.end();
  }

  /** Closes the connection of the client. @param by the side that ends the stream */
  disconnect(by: EndedBy = 'client'): void {
    this.#finish(by);
    this.#sink.destroy();
  }

  #countUnread(): void {
    const { countUnread } = this.#options;
    const sink = this.#sink;
    this.#count ??= countUnread?.(
      () => sink.unreadBytes,
      () => this.disconnect(),
    );
    this.#count?.update();
  }

  /** Without unread bytes, nothing is kept to count them. */
  #read(): void {
    this.#count?.update();
    if (this.#sink.unreadBytes === 0) this.#count = undefined;
  }

  /** Disconnects the client if it reads nothing within the timeout. */
  #awaitRead(): void {
    const { clock, deadlines } = this.#options;
    const sink = this.#sink;
    const before = sink.sentBytes;
    this.#readTimeout = deadlines.at(clock.now() + READ_TIMEOUT_MS, () => {
      this.#readTimeout = undefined;
      if (sink.unreadBytes <= MAX_IDLE_UNREAD_BYTES) return;
      if (sink.sentBytes === before) this.disconnect();
      else this.#awaitRead();
    });
  }

  /** Accepts no further messages. */
  #finish(by: EndedBy): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#expiry?.cancel();
    this.#options.onEnd?.(by);
  }
}
