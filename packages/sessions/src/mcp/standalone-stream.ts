import type { Deadline } from '../time/deadlines.js';
import { EventStream, type EventStreamOptions, type StreamResponse } from './event-stream.js';
import { methodOf, propertyOf } from './json-rpc.js';

/** A client that is gone without a word is found out within two of these: a minute at most. */
const PING_INTERVAL_MS = 25_000;
/** How long a client has to answer when another stream wants the place of this one. */
const PROBE_MS = 10_000;
/** The SDK numbers its requests, so that no other one has an id like this. */
const PING_ID_PREFIX = 'ping-';

/**
 * The stream that a 2025 client opens with GET to hear what no request of its own is about. Whether the
 * client is still there is asked with pings of the protocol: what a proxy or a dead network swallows stays
 * unanswered, and then the stream is given up.
 */
export class StandaloneStream {
  readonly #stream: EventStream;
  readonly #options: EventStreamOptions;
  #pings = 0;
  #unanswered: string | undefined;
  #isProbed = false;
  #deadline: Deadline;

  constructor(response: StreamResponse, options: EventStreamOptions) {
    this.#options = options;
    this.#deadline = this.#after(PING_INTERVAL_MS);
    this.#stream = new EventStream(response, {
      ...options,
      onEnd: (by) => {
        this.#deadline.cancel();
        options.onEnd?.(by);
      },
    });
  }

  get response(): Response {
    return this.#stream.response;
  }

  /** Takes the answer to a ping. */
  takeAnswer(answer: unknown): void {
    if (propertyOf(answer, 'id') !== this.#unanswered) return;
    this.#unanswered = undefined;
    if (this.#isProbed) this.#wait(PING_INTERVAL_MS);
    this.#isProbed = false;
  }

  /** Somebody else wants this place: asks at once whether this client is still there. */
  probe(): void {
    if (this.#isProbed) return;
    this.#isProbed = true;
    if (this.#unanswered === undefined) this.#ping();
    this.#wait(PROBE_MS);
  }

  #tick(): void {
    if (this.#unanswered !== undefined) {
      this.#stream.giveUp();
      return;
    }
    this.#ping();
    this.#wait(PING_INTERVAL_MS);
  }

  #ping(): void {
    this.#unanswered = `${PING_ID_PREFIX}${++this.#pings}`;
    this.#stream.send({ jsonrpc: '2.0', id: this.#unanswered, method: 'ping' });
  }

  #wait(durationMs: number): void {
    this.#deadline.cancel();
    this.#deadline = this.#after(durationMs);
  }

  #after(durationMs: number): Deadline {
    const { clock, deadlines } = this.#options;
    return deadlines.at(clock.now() + durationMs, () => this.#tick());
  }
}

/** Whether a message answers a ping of a standalone stream. */
export function isPingAnswer(message: unknown): boolean {
  const id = propertyOf(message, 'id');
  return typeof id === 'string' && id.startsWith(PING_ID_PREFIX) && methodOf(message) === undefined;
}
