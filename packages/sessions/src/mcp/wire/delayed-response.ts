import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';
import { isSseResponse, type SseResponse } from './sse-stream.js';

/** After this time an answer begins without its result: load balancers wait 30 to 60 seconds for the first byte. */
const RESPONSE_DELAY_MS = 5_000;
/** The interval of keep-alive bytes after that: load balancers wait as long between two bytes. */
const KEEP_ALIVE_MS = 15_000;

export interface DelayedResponseOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** The request's `Accept` header. */
  readonly accept: string | null;
  /** Called when the client has stopped waiting; cancels the call. */
  readonly cancel: () => void;
}

/** An answer, and whether it is a stream. */
export type TimelyResponse =
  | { readonly isStream: true; readonly response: SseResponse }
  | { readonly isStream: false; readonly response: Response };

/**
 * Returns the answer once it is known. After five seconds it returns a response that begins without the answer: for
 * clients that accept event streams, a stream with comments until the answer; for others, white space and then the
 * JSON, which JSON allows (RFC 8259 section 2).
 * @param known resolves with the answer; a rejection is passed on, or cuts a response that has begun
 */
export async function respondInTime(
  known: Promise<Response>,
  options: DelayedResponseOptions,
): Promise<TimelyResponse> {
  const { clock, deadlines, accept } = options;
  let patience: Deadline | undefined;
  const late = new Promise<undefined>((resolve) => {
    patience = deadlines.at(clock.now() + RESPONSE_DELAY_MS, () => resolve(undefined));
  });
  try {
    const response = await Promise.race([known, late]);
    if (response) {
      return isSseResponse(response) ? { isStream: true, response } : { isStream: false, response };
    }
  } finally {
    patience?.cancel();
  }
  const format = accept?.toLowerCase().includes('text/event-stream') ? EVENT_STREAM : JSON_TEXT;
  const headers = {
    'content-type': format.type,
    'cache-control': 'no-cache, no-transform',
    // Disables the response buffer of nginx.
    'x-accel-buffering': 'no',
  };
  // A response that was created with a body has that body.
  const response = new Response(begun(known, format, options), { headers }) as SseResponse;
  return { isStream: true, response };
}

/** The wire format of a response that begins before its answer is known. */
interface Format {
  readonly type: string;
  readonly keepAlive: string;
  /** Writes the SDK's answer. */
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
      // A cancelled request has no answer.
      if (message) send(encoder.encode(`event: message\ndata: ${message}\n\n`));
    }
  },
};

const JSON_TEXT: Format = {
  type: 'application/json',
  keepAlive: ' ',
  async write(response, send) {
    if (!isSseResponse(response)) return send(new Uint8Array(await response.arrayBuffer()));
    // The SDK's stream has one message in each frame. This client can take only the answer, which is the last one.
    let answer: string | undefined;
    for await (const frame of response.body) {
      answer = /^data: (.*)$/m.exec(new TextDecoder().decode(frame))?.[1] ?? answer;
    }
    if (answer !== undefined) send(encoder.encode(answer));
  },
};

function begun(
  known: Promise<Response>,
  { keepAlive, write }: Format,
  { clock, deadlines, cancel }: DelayedResponseOptions,
): ReadableStream<Uint8Array> {
  let next: Deadline | undefined;
  return new ReadableStream({
    start(sink) {
      const stayAlive = () => {
        sink.enqueue(encoder.encode(keepAlive));
        next = deadlines.at(clock.now() + KEEP_ALIVE_MS, stayAlive);
      };
      stayAlive();
      known
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
