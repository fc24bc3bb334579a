import type { IncomingMessage } from 'node:http';
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

/** Reads the body of one request within the limits. */
export class BodyReader {
  readonly #source: BodySource;
  readonly #options: BodyReaderOptions;
  readonly #buffer: BodyBuffer;
  #receiving: Promise<void> | undefined;
  #onRefused: (refusal: BodyRefusal) => void = () => undefined;
  #stop: () => void = () => undefined;

  constructor(source: BodySource, options: BodyReaderOptions) {
    this.#source = source;
    this.#options = options;
    this.#buffer = new BodyBuffer(options, source.clientKey, (refusal) => {
      this.#stop();
      this.#onRefused(refusal);
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

  /**
   * Returns the body. If a body parser in front of this server has read it, returns what the parser has stored.
   * @throws SessionError `configuration` if the body was read and not stored
   */
  read(): Promise<RequestBody> {
    return this.#receiving ? this.#received() : this.#readNow();
  }

  async #readNow(): Promise<RequestBody> {
    const wasRead = isRead(this.#source);
    const parsed = wasRead ? parsedBodyOf(this.#source.incoming) : undefined;
    const isTooLarge = isAnnouncedLarger(this.#source, this.#options.maxBytes);
    if (isTooLarge && (parsed || !wasRead)) return { kind: 'too-large' };
    if (parsed) return this.#scanned(parsed);
    const direct = directSourceOf(this.#source);
    this.#receiving = direct ? this.#receiveFrom(direct) : this.#receiveStream(this.#source.request);
    const body = await this.#received();
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

  async #received(): Promise<RequestBody> {
    await this.#receiving;
    this.#buffer.end();
    const { refusal } = this.#buffer;
    return refusal ? { kind: refusal } : { kind: 'text', text: this.#buffer.text() };
  }

  async #receiveFrom(incoming: IncomingMessage): Promise<void> {
    const take = (chunk: Buffer) => this.#buffer.add(chunk);
    const fail = () => this.#buffer.refuse('unreadable');
    await new Promise<void>((resolve) => {
      this.#stop = () => {
        // `end` precedes `close`, so a complete body does not fail.
        incoming.off('data', take).off('end', this.#stop).off('error', fail).off('close', fail);
        resolve();
      };
      incoming.on('data', take).on('end', this.#stop).on('error', fail).on('close', fail);
    });
    const isRefused = this.#buffer.refusal !== undefined;
    // The rest of a refused body stays in the socket until the response is sent.
    if (isRefused && !incoming.complete) incoming.pause();
    const turn = isRefused ? undefined : this.#options.scheduler?.waitForTurn(this.#source.clientKey);
    if (turn) await turn;
    this.#buffer.release();
  }

  async #receiveStream({ body }: SentRequest): Promise<void> {
    try {
      const reader = body?.getReader();
      this.#stop = () => void reader?.cancel().catch(() => undefined);
      for (let read = await reader?.read(); read && !read.done; read = await reader?.read())
        this.#buffer.add(read.value);
    } catch {
      this.#buffer.refuse('unreadable');
    }
    this.#buffer.release();
  }
}
