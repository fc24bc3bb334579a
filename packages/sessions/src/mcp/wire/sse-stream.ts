import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';

/** The maximum number of unread bytes that a client may leave for any time. */
export const MAX_IDLE_UNREAD_BYTES: number = 1024 * 1024;
/** With more unread bytes than that, a client must read something within this time. */
export const READ_TIMEOUT_MS = 10_000;
/** The maximum number of unread bytes to which a message is added. The message itself may have any size. */
export const MAX_UNREAD_BYTES: number = 16 * 1024 * 1024;
/** The size of the chunks that a client takes. A chunk counts as read when it is taken. */
const CHUNK_BYTES = 64 * 1024;

/** The side that ended a stream. */
export type EndedBy = 'client' | 'server';

/** A response that is a stream of server-sent events. */
export type SseResponse = Response & { readonly body: ReadableStream<Uint8Array> };

/** Counts the unread bytes of one client. */
export interface UnreadCount {
  /** Call it whenever the number of unread bytes has changed. */
  update(): void;
  /** Ends the count: no unread bytes are held any more. */
  release(): void;
}

/**
 * Begins to count the unread bytes of one client.
 * @param unread returns the number of unread bytes
 * @param disconnect closes the client's connection; called when the server holds too many unread bytes
 */
export type CountUnread = (unread: () => number, disconnect: () => void) => UnreadCount;

export interface SseStreamOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Closes the TCP connection of a client that does not read. Without it, the stream ends with an error. */
  readonly closeConnection: (() => void) | undefined;
  /** Counts the unread bytes. Default: not counted. */
  readonly countUnread?: CountUnread | undefined;
  /** When the stream ends because the access token of its client expires. Default: never. */
  readonly endsAtMs?: number | undefined;
  /** Called once, when the stream has ended. */
  readonly onEnd?: (by: EndedBy) => void;
}

/**
 * A stream of server-sent events to one client. It forwards the SDK's stream, if there is one, takes further messages,
 * reports which side ended it, and disconnects a client that does not read.
 */
export class SseStream {
  /** The response to send in place of the SDK's. */
  readonly response: Response;
  /** Resolves when the first event has been queued, or the stream has ended without one. */
  readonly started: Promise<void>;
  readonly #options: SseStreamOptions;
  readonly #source: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #encoder = new TextEncoder();
  #sink: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** The unread chunks; the oldest first. */
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  readonly #count: UnreadCount | undefined;
  /** Resumes a read that waits for the next chunk. */
  #resume: (() => void) | undefined;
  #isEnded = false;
  #writtenBytes = 0;
  #readTimeout: Deadline | undefined;
  readonly #expiry: Deadline | undefined;

  /** @param response the response of the SDK; without a body, only messages of `send` are streamed */
  constructor(response: Response, options: SseStreamOptions) {
    this.#options = options;
    this.#count = options.countUnread?.(
      () => this.#unreadBytes,
      () => this.disconnect(),
    );
    this.#source = response.body?.getReader();
    const body = new ReadableStream<Uint8Array>(
      {
        start: (sink) => {
          this.#sink = sink;
        },
        pull: () => this.#pullChunk(),
        cancel: () => {
          this.#finish('client');
          this.#release();
        },
      },
      // With a queue of its own, the stream would take chunks that the client has not read.
      { highWaterMark: 0 },
    );
    this.response = new Response(body, response);
    // Node sets this header itself: the client may have asked to close the connection.
    this.response.headers.delete('connection');
    const { deadlines, endsAtMs } = options;
    this.#expiry = endsAtMs === undefined ? undefined : deadlines.at(endsAtMs, () => this.end());
    this.started = new Promise((resolve) => void this.#forward(resolve));
  }

  /** Adds a JSON-RPC message. */
  send(message: unknown): void {
    this.sendEvent(JSON.stringify(message));
  }

  /**
   * Adds a JSON-RPC message that is JSON already.
   * @param id the event id, from which the client can resume. Default: none
   */
  sendEvent(json: string, id = ''): void {
    this.#write(this.#encoder.encode(eventOf(json, id)));
  }

  /** Ends the stream after the messages that have been written. */
  end(): void {
    if (this.#isEnded) return;
    this.#finish('server');
    // The stream closes when the client has taken the unread chunks.
    if (this.#unread.length > 0) return;
    this.#sink?.close();
    this.#release();
  }

  /**
   * Closes the connection of the client and drops unread bytes.
   * @param by the side that ends the stream. Default: the client, by disconnecting
   */
  disconnect(by: EndedBy = 'client'): void {
    const sink = this.#sink;
    if (!sink) return;
    this.#finish(by);
    this.#release();
    if (this.#options.closeConnection) this.#options.closeConnection();
    else sink.error(new Error('The client does not read its stream.'));
  }

  async #forward(started: () => void): Promise<void> {
    const source = this.#source;
    if (!source) return started();
    try {
      for (let next = await source.read(); !next.done; next = await source.read()) {
        this.#write(next.value);
        started();
      }
      this.end();
    } catch {
      this.disconnect();
    } finally {
      started();
    }
  }

  #write(bytes: Uint8Array): void {
    if (!this.#sink || this.#isEnded) return;
    if (this.#unreadBytes > MAX_UNREAD_BYTES) {
      this.disconnect();
      return;
    }
    for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
      this.#unread.push(bytes.subarray(from, from + CHUNK_BYTES));
    }
    this.#unreadBytes += bytes.length;
    this.#writtenBytes += bytes.length;
    this.#resume?.();
    this.#count?.update();
    if (this.#unreadBytes > MAX_IDLE_UNREAD_BYTES && !this.#readTimeout) this.#awaitRead();
  }

  /** Hands the next chunk to the reading client, as soon as there is one. */
  async #pullChunk(): Promise<void> {
    if (this.#unread.length === 0) {
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
      this.#resume = undefined;
    }
    const chunk = this.#unread.shift();
    if (!this.#sink || !chunk) return;
    this.#unreadBytes -= chunk.length;
    this.#sink.enqueue(chunk);
    this.#count?.update();
    if (!this.#isEnded || this.#unread.length > 0) return;
    this.#sink.close();
    this.#release();
  }

  /** Disconnects the client if it reads nothing within the timeout. */
  #awaitRead(): void {
    const { clock, deadlines } = this.#options;
    const readBytes = () => this.#writtenBytes - this.#unreadBytes;
    const before = readBytes();
    this.#readTimeout = deadlines.at(clock.now() + READ_TIMEOUT_MS, () => {
      this.#readTimeout = undefined;
      if (this.#unreadBytes <= MAX_IDLE_UNREAD_BYTES) return;
      if (readBytes() === before) this.disconnect();
      else this.#awaitRead();
    });
  }

  /** Accepts no further messages. */
  #finish(by: EndedBy): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#expiry?.cancel();
    this.#source?.cancel().catch(() => undefined);
    this.#options.onEnd?.(by);
  }

  /** Drops what is held. */
  #release(): void {
    this.#sink = undefined;
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#resume?.();
    this.#count?.release();
    this.#readTimeout?.cancel();
    this.#readTimeout = undefined;
  }
}

/** A JSON-RPC message as a server-sent event. @param id its event id; `''`: none */
export function eventOf(json: string, id: string): string {
  return `event: message\n${id && `id: ${id}\n`}data: ${json}\n\n`;
}

/** Whether a response is a stream of server-sent events. */
export function isSseResponse(response: Response): response is SseResponse {
  const type = response.headers.get('content-type') ?? '';
  return response.body !== null && type.startsWith('text/event-stream');
}
