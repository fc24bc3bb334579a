import type { StreamCloser } from '../../session/presence.js';
import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';

/** A client may leave so much unread for as long as it likes, */
const MAX_IDLE_UNREAD_BYTES = 1024 * 1024;
/** more than that only while it reads on, */
const READ_TIMEOUT_MS = 10_000;
/** and no more than this, on top of which one message of any size is let in: what tools write is not held back. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;
/** What is passed on at a time: whoever reads takes whole pieces, and has read them as far as we can see. */
const CHUNK_BYTES = 64 * 1024;

/** A response of the SDK that is a stream of events. */
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
 * @param disconnect closes the client's connection, because the server holds too many unread bytes
 */
export type CountUnread = (unread: () => number, disconnect: () => void) => UnreadCount;

export interface SseStreamOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Cuts the connection below; without it, the stream of a client that is given up ends with an error. */
  readonly closeConnection: (() => void) | undefined;
  /** Counts the unread bytes. Default: not counted. */
  readonly countUnread?: CountUnread | undefined;
  /** When the right to read it runs out. Default: never. */
  readonly endsAtMs?: number | undefined;
  /** Called once, when the stream is over. */
  readonly onEnd?: (by: StreamCloser) => void;
}

/**
 * A stream of server-sent events on its way to a client. It passes on what the SDK writes, can be added to
 * and ended from outside, says who ended it, and gives up a client that does not read.
 */
export class SseStream {
  /** To be answered in place of the SDK's. */
  readonly response: Response;
  /** Resolves when the first event is on its way, or there will be none. */
  readonly started: Promise<void>;
  readonly #options: SseStreamOptions;
  readonly #source: ReadableStreamDefaultReader<Uint8Array>;
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
  #patience: Deadline | undefined;
  readonly #expiry: Deadline | undefined;

  /** @param response of the SDK, with a body */
  constructor(response: SseResponse, options: SseStreamOptions) {
    this.#options = options;
    this.#count = options.countUnread?.(
      () => this.#unreadBytes,
      () => this.disconnect(),
    );
    this.#source = response.body.getReader();
    const body = new ReadableStream<Uint8Array>(
      {
        start: (sink) => {
          this.#sink = sink;
        },
        pull: () => this.#pullChunk(),
        cancel: () => {
          this.#leave('client');
          this.#forget();
        },
      },
      // Without a second queue, only chunks that are read leave the counted one.
      { highWaterMark: 0 },
    );
    this.response = new Response(body, response);
    // Node decides whether to keep the connection: the client may have asked to close it.
    this.response.headers.delete('connection');
    const { deadlines, endsAtMs } = options;
    this.#expiry = endsAtMs === undefined ? undefined : deadlines.at(endsAtMs, () => this.end());
    this.started = new Promise((resolve) => void this.#passOn(resolve));
  }

  /** Adds a JSON-RPC message. */
  send(message: unknown): void {
    this.#write(this.#encoder.encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`));
  }

  /** Ends the stream after what has been written. */
  end(): void {
    if (this.#isEnded) return;
    this.#leave('server');
    // What is unread is still held for a client that may not be reading.
    if (this.#unread.length > 0) return;
    this.#sink?.close();
    this.#forget();
  }

  /**
   * Closes the connection of a client that is gone or does not read. Drops unread data.
   * @param by the side that ends the stream. Default: the client, by disconnecting
   */
  disconnect(by: StreamCloser = 'client'): void {
    const sink = this.#sink;
    if (!sink) return;
    this.#leave(by);
    this.#forget();
    if (this.#options.closeConnection) this.#options.closeConnection();
    else sink.error(new Error('The client is gone, or does not read what it is sent.'));
  }

  async #passOn(started: () => void): Promise<void> {
    try {
      for (let next = await this.#source.read(); !next.done; next = await this.#source.read()) {
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
    if (this.#unreadBytes > MAX_IDLE_UNREAD_BYTES && !this.#patience) this.#watch();
  }

  /** Passes the next chunk to a client that reads, as soon as there is one. */
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
    this.#forget();
  }

  /** Looks again later: who has read nothing by then is given up. */
  #watch(): void {
    const { clock, deadlines } = this.#options;
    const readBytes = () => this.#writtenBytes - this.#unreadBytes;
    const before = readBytes();
    this.#patience = deadlines.at(clock.now() + READ_TIMEOUT_MS, () => {
      this.#patience = undefined;
      if (this.#unreadBytes <= MAX_IDLE_UNREAD_BYTES) return;
      if (readBytes() === before) this.disconnect();
      else this.#watch();
    });
  }

  /** Nothing more is written. */
  #leave(by: StreamCloser): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#expiry?.cancel();
    this.#source.cancel().catch(() => undefined);
    this.#options.onEnd?.(by);
  }

  /** Nothing more is held. */
  #forget(): void {
    this.#sink = undefined;
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#resume?.();
    this.#count?.release();
    this.#patience?.cancel();
    this.#patience = undefined;
  }
}

/** Whether a response is a stream of server-sent events. */
export function isSseResponse(response: Response): response is SseResponse {
  const type = response.headers.get('content-type') ?? '';
  return response.body !== null && type.startsWith('text/event-stream');
}
