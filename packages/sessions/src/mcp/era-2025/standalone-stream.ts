import type { Deadline } from '../../time/deadlines.js';
import { methodOf, propertyOf } from '../wire/json-rpc.js';
import { type SseResponse, SseStream, type SseStreamOptions } from '../wire/sse-stream.js';

/** The interval of pings. A client that answers none does not count as present after two of them: within a minute. */
const PING_INTERVAL_MS = 25_000;
/**
 * How long a client has to answer the ping that is sent when it opens another stream. That request is held meanwhile.
 */
const PROBE_MS = 2_000;
/** The SDK numbers its requests, so that no other one has an id like this. */
const PING_ID_PREFIX = 'ping-';

export interface StandaloneStreamOptions extends SseStreamOptions {
  /** Called with `false` when the client stops answering pings, and with `true` when it answers again. */
  readonly onResponsive?: (isHeard: boolean) => void;
}

/** A ping whose answer decides whether another stream replaces this one. */
interface Probe {
  readonly outcome: Promise<boolean>;
  readonly settle: (isThere: boolean) => void;
}

/**
 * The stream that a 2025 client opens with GET, for messages that belong to none of its requests. Protocol pings show
 * whether the client is still present: behind a proxy or on a dead network they stay unanswered. A client that does not
 * answer keeps its stream, because some clients never answer. But it does not count as present, and another stream
 * replaces this one.
 */
export class StandaloneStream {
  readonly #stream: SseStream;
  readonly #options: StandaloneStreamOptions;
  #pings = 0;
  #unanswered: string | undefined;
  #isHeard = true;
  #hasRefused = false;
  #isOver = false;
  #probe: Probe | undefined;
  #deadline: Deadline;

  constructor(response: SseResponse, options: StandaloneStreamOptions) {
    this.#options = options;
    this.#deadline = this.#after(PING_INTERVAL_MS, () => this.#tick());
    this.#stream = new SseStream(response, {
      ...options,
      onEnd: (by) => {
        this.#isOver = true;
        this.#deadline.cancel();
        this.#probe?.settle(false);
        // A client that was refused another stream may be present without this one, so its end is not a disconnect.
        options.onEnd?.(this.#hasRefused ? 'server' : by);
      },
    });
  }

  get response(): Response {
    return this.#stream.response;
  }

  /** Takes the answer to a ping. */
  acceptPingResponse(answer: unknown): void {
    if (propertyOf(answer, 'id') !== this.#unanswered) return;
    this.#unanswered = undefined;
    this.#hear(true);
    this.#probe?.settle(true);
  }

  /** Sends a ping and resolves with whether the client answers, to decide about another stream. */
  async isResponsive(): Promise<boolean> {
    this.#probe ??= this.#ask();
    const isThere = await this.#probe.outcome;
    if (isThere) this.#hasRefused = true;
    return isThere;
  }

  /** Ends the stream because another one replaces it. This is not a disconnect of the client. */
  replace(): void {
    this.#stream.disconnect('server');
  }

  #ask(): Probe {
    let settle: (isThere: boolean) => void = () => undefined;
    const outcome = new Promise<boolean>((resolve) => {
      const deadline = this.#after(PROBE_MS, () => settle(false));
      settle = (isThere) => {
        deadline.cancel();
        this.#probe = undefined;
        resolve(isThere);
      };
    });
    if (this.#isOver) settle(false);
    else this.#ping();
    return { outcome, settle };
  }

  #tick(): void {
    if (this.#unanswered !== undefined) this.#hear(false);
    this.#ping();
  }

  #hear(isHeard: boolean): void {
    if (this.#isHeard === isHeard) return;
    this.#isHeard = isHeard;
    this.#options.onResponsive?.(isHeard);
  }

  #ping(): void {
    this.#deadline.cancel();
    this.#unanswered = `${PING_ID_PREFIX}${++this.#pings}`;
    this.#stream.send({ jsonrpc: '2.0', id: this.#unanswered, method: 'ping' });
    if (!this.#isOver) this.#deadline = this.#after(PING_INTERVAL_MS, () => this.#tick());
  }

  #after(durationMs: number, run: () => void): Deadline {
    const { clock, deadlines } = this.#options;
    return deadlines.at(clock.now() + durationMs, run);
  }
}

/** Whether a message answers a ping of a standalone stream. */
export function isPingResponse(message: unknown): boolean {
  const id = propertyOf(message, 'id');
  return typeof id === 'string' && id.startsWith(PING_ID_PREFIX) && methodOf(message) === undefined;
}
