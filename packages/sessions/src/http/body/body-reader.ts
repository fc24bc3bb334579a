import type { IncomingMessage } from 'node:http';
import type { MaybePromise } from '../../time/promises.js';
import { secretBytes } from '../../vault/memory.js';
import { BodyBuffer, type BodyLimits, type BodyRefusal } from './body-buffer.js';
import {
  type BodySource,
  bodyLost,
  directSourceOf,
  isAnnouncedLarger,
  isRead,
  type ParsedBody,
  parsedBodyOf,
  type RequestBody,
  type SentRequest,
} from './body-source.js';
import type { RequestScheduler } from './request-scheduler.js';

export interface BodyReaderOptions extends BodyLimits {
  /** Decides when a body that has arrived over a connection is processed. Until then it counts as being received. */
  readonly scheduler?: RequestScheduler | undefined;
}

/** What exceeds this size in a body is scanned in turns, each of what has arrived until then. */
const MAX_UNSCHEDULED_BYTES: number = 64 * 1024;

/** Reads the body of one request within the limits. */
export class BodyReader {
  readonly #source: BodySource;
  readonly #options: BodyReaderOptions;
  readonly #buffer: BodyBuffer;
  #receiving: Promise<void> | undefined;
  #isReceived = false;
  /** Absent if all that has arrived is scanned. */
  #scanning: Promise<void> | undefined;
  #onRefused: ((refusal: BodyRefusal) => void) | undefined;
  /** Absent unless the body is received from Node. */
  #incoming: IncomingMessage | undefined;
  #resolve: (() => void) | undefined;
  #isOver = false;
  #stream: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(source: BodySource, options: BodyReaderOptions) {
    this.#source = source;
    this.#options = options;
    this.#buffer = new BodyBuffer(options, source.clientKey, (refusal) => {
      this.#stop();
      this.#onRefused?.(refusal);
    });
  }

  /** Starts to receive the body from Node, which keeps an object of hundreds of bytes for each unread chunk. */
  start(): void {
    const incoming = directSourceOf(this.#source);
    if (incoming && !isAnnouncedLarger(this.#source, this.#options.maxBytes))
      this.#receiving = this.#receiveFrom(incoming);
  }

  /** Resolves when the body is refused while it arrives, and never otherwise. */
  refused(): Promise<BodyRefusal> {
    return new Promise((resolve) => {
      if (this.#buffer.refusal) resolve(this.#buffer.refusal);
      else this.#onRefused = resolve;
    });
  }

  /** Stops receiving a body that is not needed. */
  cancel(): void {
    this.#buffer.refuse('unreadable');
  }

  /** Resolves when `read` has the body, or knows why it is refused; `undefined` if `read` has to receive it. */
  get received(): Promise<void> | undefined {
    return this.#receiving;
  }

  /**
   * Returns the body, in the same tick once it is received. If a body parser in front of this server has read it, returns
   * what the parser has stored.
   * @throws SessionError `configuration` if the body was read and not stored
   */
  read(): MaybePromise<RequestBody> {
    if (this.#isReceived) return this.#body();
    return this.#receiving?.then(() => this.#body()) ?? this.#readNow();
  }

  async #readNow(): Promise<RequestBody> {
    const wasRead = isRead(this.#source);
    const parsed = wasRead ? parsedBodyOf(this.#source.incoming) : undefined;
    const isTooLarge = isAnnouncedLarger(this.#source, this.#options.maxBytes);
    if (isTooLarge && (parsed || !wasRead)) return { kind: 'too-large' };
    if (parsed) return this.#scanned(parsed);
    const direct = directSourceOf(this.#source);
    this.#receiving = direct ? this.#receiveFrom(direct) : this.#receiveStream(this.#source.request);
    await this.#receiving;
    const body = this.#body();
    const isLost = body.kind === 'unreadable' || (body.kind === 'text' && body.text === '');
    if (!wasRead || !isLost) return body;
    throw bodyLost();
  }

  #scanned(body: ParsedBody): RequestBody {
    const { scan } = this.#options;
    if (!scan || body.kind !== 'text') return body;
    const refusal = scan.add(secretBytes(body.text)) ?? scan.end();
    return refusal ? { kind: refusal } : body;
  }

  #body(): RequestBody {
    this.#buffer.end();
    const { refusal } = this.#buffer;
    return refusal ? { kind: refusal } : { kind: 'text', text: this.#buffer.text() };
  }

  #receiveFrom(incoming: IncomingMessage): Promise<void> {
    this.#incoming = incoming;
    const take = (chunk: Buffer) => {
      this.#buffer.add(chunk);
      this.#scanning ??= this.#scan(incoming);
    };
    const fail = () => {
      if (!this.#isOver) this.#buffer.refuse('unreadable');
    };
    const end = () => {
      // `end` precedes `close`, so a complete body does not fail.
      incoming.off('close', fail);
      if (this.#scanning) void this.#scanning.then(() => this.#stop());
      else this.#stop();
    };
    return new Promise<void>((resolve) => {
      this.#resolve = resolve;
      incoming.on('data', take).on('end', end).on('error', fail).on('close', fail);
    });
  }

  /**
   * Stops receiving, after the last chunk or a refusal. A method, and not a function in a property: a call of one would
   * keep what it refers to from V8's collector of young objects.
   */
  #stop(): void {
    const incoming = this.#incoming;
    if (!incoming) {
      void this.#stream?.cancel().catch(() => undefined);
      return;
    }
    if (this.#isOver) return;
    this.#isOver = true;
    const isRefused = this.#buffer.refusal !== undefined;
    // The rest of a refused body stays in the socket until the response is sent.
    if (isRefused && !incoming.complete) incoming.pause();
    const turn = isRefused ? undefined : this.#options.scheduler?.waitForTurn(this.#source.clientKey);
    if (turn) void turn.then(() => this.#finish());
    else this.#finish();
  }

  #finish(): void {
    this.#isReceived = true;
    this.#buffer.release();
    this.#resolve?.();
  }

  /**
   * Scans what has arrived; the beginning of a body at once, the rest in turns. Until then, Node reads nothing more from
   * the connection: it would read 2 MiB before any other one.
   */
  #scan({ socket, httpVersionMajor }: IncomingMessage): Promise<void> | undefined {
    const isScheduled = httpVersionMajor === 1 && this.#buffer.size > MAX_UNSCHEDULED_BYTES;
    const turn = isScheduled ? this.#options.scheduler?.waitForTurn(this.#source.clientKey) : undefined;
    if (!turn) {
      this.#buffer.scan();
      return undefined;
    }
    // The request asks for more in a tick after this one, and that would resume the connection. The sockets of other
    // runtimes may lack these methods.
    queueMicrotask(() => socket?.pause?.());
    return turn.then(() => {
      this.#scanning = undefined;
      this.#buffer.scan();
      socket?.resume?.();
    });
  }

  async #receiveStream({ body }: SentRequest): Promise<void> {
    try {
      const reader = body?.getReader();
      this.#stream = reader;
      for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
        this.#buffer.add(read.value);
        this.#buffer.scan();
      }
    } catch {
      this.#buffer.refuse('unreadable');
    }
    this.#buffer.release();
  }
}
