import type { Deadline } from '../../time/deadlines.js';
import type { EventSink } from '../wire/event-sink.js';
import { methodOf, propertyOf } from '../wire/json-rpc.js';
import { type PlainAnswer, STREAMED } from '../wire/plain-answer.js';
import { SinkStream } from '../wire/sink-stream.js';
import { type EndedBy, SseStream, type SseStreamOptions } from '../wire/sse-stream.js';

/** The interval of pings. After an unanswered ping, the client does not count as present: within a minute. */
const PING_INTERVAL_MS = 25_000;
/** How long a client has to answer the ping that decides about another stream. The other request waits for it. */
const PROBE_TIMEOUT_MS = 2_000;
/** The SDK's own requests have numeric ids. */
const PING_ID_PREFIX = 'ping-';

export interface StandaloneStreamOptions extends SseStreamOptions {
  /** Carries the events. Default: a web-standard response does. */
  readonly sink?: EventSink | undefined;
  /** Called with `false` when the client stops answering pings, and with `true` when it answers again. */
  readonly onResponsive?: (isResponsive: boolean) => void;
}

/** A ping whose answer decides whether another stream replaces this one. */
interface Probe {
  readonly outcome: Promise<boolean>;
  readonly settle: (isResponsive: boolean) => void;
}

/**
 * The stream that a 2025 client opens with GET, for messages that belong to none of its requests. Protocol pings show
 * whether the client is present: a proxy or a dead network does not answer them. A client that does not answer keeps
 * its stream, because some clients never answer pings. It does not count as present, and another stream may replace
 * this one.
 */
export class StandaloneStream {
  readonly #stream: SseStream | SinkStream;
  readonly #options: StandaloneStreamOptions;
  #pings = 0;
  #pendingPing: string | undefined;
  #isResponsive = true;
  #hasBlocked = false;
  #isEnded = false;
  #probe: Probe | undefined;
  #deadline: Deadline;

  constructor(headers: Readonly<Record<string, string>>, options: StandaloneStreamOptions) {
    this.#options = options;
    this.#deadline = this.#after(PING_INTERVAL_MS, () => this.#tick());
    const { sink } = options;
    const streamOptions = {
      ...options,
      onEnd: (by: EndedBy) => {
        this.#isEnded = true;
        this.#deadline.cancel();
        this.#probe?.settle(false);
        // A client whose other request was refused may be present without this stream.
        options.onEnd?.(this.#hasBlocked ? 'server' : by);
      },
    };
    this.#stream = sink
      ? new SinkStream(sink, headers, streamOptions)
      : new SseStream(new Response(null, { headers }), streamOptions);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** The answer to the GET. */
  get answer(): Response | PlainAnswer {
    return this.#stream instanceof SseStream ? this.#stream.response : STREAMED;
  }

  /** Sends a JSON-RPC message. @param id the event id; `''`: none */
  sendEvent(json: string, id: string): void {
    this.#stream.sendEvent(json, id);
  }

  /** Ends the stream as the server, so that its client may open another one. */
  end(): void {
    this.#stream.end();
  }

  /** Processes the response to a ping. */
  acceptPingResponse(response: unknown): void {
    if (propertyOf(response, 'id') !== this.#pendingPing) return;
    this.#pendingPing = undefined;
    this.#setResponsive(true);
    this.#probe?.settle(true);
  }

  /** Sends a ping and resolves with whether the client answers, to decide about another stream. */
  async isResponsive(): Promise<boolean> {
    this.#probe ??= this.#startProbe();
    const isResponsive = await this.#probe.outcome;
    if (isResponsive) this.#hasBlocked = true;
    return isResponsive;
  }

  /** Ends the stream because another one replaces it, which is not a disconnect of the client. */
  replace(): void {
    this.#stream.disconnect('server');
  }

  #startProbe(): Probe {
    let settle: (isResponsive: boolean) => void = () => undefined;
    const outcome = new Promise<boolean>((resolve) => {
      const deadline = this.#after(PROBE_TIMEOUT_MS, () => settle(false));
      settle = (isResponsive) => {
        deadline.cancel();
        this.#probe = undefined;
        resolve(isResponsive);
      };
    });
    if (this.#isEnded) settle(false);
    else this.#ping();
    return { outcome, settle };
  }

  #tick(): void {
    if (this.#pendingPing !== undefined) this.#setResponsive(false);
    this.#ping();
  }

  #setResponsive(isResponsive: boolean): void {
    if (this.#isResponsive === isResponsive) return;
    this.#isResponsive = isResponsive;
    this.#options.onResponsive?.(isResponsive);
  }

  #ping(): void {
    this.#deadline.cancel();
    this.#pendingPing = `${PING_ID_PREFIX}${++this.#pings}`;
    this.#stream.send({ jsonrpc: '2.0', id: this.#pendingPing, method: 'ping' });
    if (!this.#isEnded) this.#deadline = this.#after(PING_INTERVAL_MS, () => this.#tick());
  }

  #after(durationMs: number, run: () => void): Deadline {
    const { clock, deadlines } = this.#options;
    return deadlines.at(clock.now() + durationMs, run);
  }
}

/** Whether a message is the response to a ping of a standalone stream. */
export function isPingResponse(message: unknown): boolean {
  const id = propertyOf(message, 'id');
  return typeof id === 'string' && id.startsWith(PING_ID_PREFIX) && methodOf(message) === undefined;
}
