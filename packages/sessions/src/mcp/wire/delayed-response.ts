import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';
import { isSseResponse, type SseResponse } from './sse-stream.js';

/** After this time a response starts without its result. Load balancers wait 30 to 60 seconds for the first byte. */
const RESPONSE_DELAY_MS = 5_000;
/** The interval of keep-alive bytes from then on. Load balancers wait 30 to 60 seconds between two bytes, too. */
const KEEP_ALIVE_MS = 15_000;

export interface DelayedResponseOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** When the request began to be served. Default: now. */
  readonly startedAtMs?: number | undefined;
  /** The request's `Accept` header. */
  readonly accept: string | null;
  /** Called when the client has disconnected. Cancels the call. */
  readonly cancel: () => void;
}

/** A response, and whether it is a stream. */
export type TimelyResponse =
  | { readonly isStream: true; readonly response: SseResponse }
  | { readonly isStream: false; readonly response: Response };

/**
 * Resolves with the response, or after five seconds with one that starts without its result. Such a response is a
 * stream with comments until the result, or, for a client that does not accept event streams, white space before the
 * JSON (RFC 8259 section 2).
 * @param pending the response; its rejection is passed on, or aborts a response that has started
 */
export async function respondInTime(
  pending: Promise<Response>,
  options: DelayedResponseOptions,
): Promise<TimelyResponse> {
  const { clock, deadlines, accept, startedAtMs = clock.now() } = options;
  let deadline: Deadline | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    deadline = deadlines.at(startedAtMs + RESPONSE_DELAY_MS, () => resolve(undefined));
  });
  try {
    const response = await Promise.race([pending, timeout]);
    if (response) {
      return isSseResponse(response) ? { isStream: true, response } : { isStream: false, response };
    }
  } finally {
    deadline?.cancel();
  }
  const format = accept?.toLowerCase().includes('text/event-stream') ? EVENT_STREAM : JSON_TEXT;
  const headers = {
    'content-type': format.type,
    'cache-control': 'no-cache, no-transform',
    // Disables the response buffer of nginx.
    'x-accel-buffering': 'no',
  };
  // A response that is created with a body always has one.
  const response = new Response(delayedBody(pending, format, options), { headers }) as SseResponse;
  return { isStream: true, response };
}

/** The wire format of a response that starts before its result is known. */
interface Format {
  readonly type: string;
  readonly keepAlive: string;
  /** Writes the SDK's response. */
  readonly write: (response: Response, send: (bytes: Uint8Array) => void) => Promise<void>;
}

const encoder = new TextEncoder();

const EVENT_STREAM: Format = {
  type: 'text/event-stream',
  keepAlive: ': keepalive\n\n',
  async write(response, send) {
    if (isSseResponse(response)) for await (const frame of response.body) send(frame);
    else {
      const message = await response.text();
      // A cancelled request has no response.
      if (message) send(encoder.encode(`event: message\ndata: ${message}\n\n`));
    }
  },
};

const JSON_TEXT: Format = {
  type: 'application/json',
  keepAlive: ' ',
  async write(response, send) {
    if (!isSseResponse(response)) return send(new Uint8Array(await response.arrayBuffer()));
    // Each frame of the SDK's stream holds one message. JSON has room for the last one, which is the result.
    let result: string | undefined;
    for await (const frame of response.body) {
      result = /^data: (.*)$/m.exec(new TextDecoder().decode(frame))?.[1] ?? result;
    }
    if (result !== undefined) send(encoder.encode(result));
  },
};

function delayedBody(
  pending: Promise<Response>,
  { keepAlive, write }: Format,
  { clock, deadlines, cancel }: DelayedResponseOptions,
): ReadableStream<Uint8Array> {
  let next: Deadline | undefined;
  return new ReadableStream({
    start(sink) {
      const sendKeepAlive = () => {
        sink.enqueue(encoder.encode(keepAlive));
        next = deadlines.at(clock.now() + KEEP_ALIVE_MS, sendKeepAlive);
      };
      sendKeepAlive();
      pending
        .then((response) => write(response, (bytes) => sink.enqueue(bytes)))
        .then(() => sink.close())
        .catch((error: unknown) => sink.error(error))
        .finally(() => next?.cancel());
    },
    cancel() {
      next?.cancel();
      cancel();
    },
  });
}
