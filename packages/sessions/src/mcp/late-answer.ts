import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';
import { isEventStream, type StreamResponse } from './event-stream.js';

/** An answer that is not there by then begins all the same: load balancers wait 30 to 60 seconds for its first byte. */
const PATIENCE_MS = 5_000;
/** How often something is sent of it from then on: they wait no longer between two bytes. */
const KEEP_ALIVE_MS = 15_000;

export interface LateAnswerOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** What the client accepts (HTTP `Accept`). */
  readonly accept: string | null;
  /** Ends what is being done for a client that does not wait for it any more. */
  readonly cancel: () => void;
}

/** An answer, and whether it is one that goes on. */
export type Answer =
  | { readonly isStream: true; readonly response: StreamResponse }
  | { readonly isStream: false; readonly response: Response };

/**
 * Answers as soon as the answer is known, or begins to after five seconds. To clients that accept event streams it is
 * a stream then, with comments until the answer comes. To others it is JSON after white space, which JSON allows
 * (RFC 8259 section 2).
 * @param known the answer, once it is known; a rejection is passed on, or cuts what has begun
 */
export async function answerInTime(known: Promise<Response>, options: LateAnswerOptions): Promise<Answer> {
  const { clock, deadlines, accept } = options;
  let patience: Deadline | undefined;
  const late = new Promise<undefined>((resolve) => {
    patience = deadlines.at(clock.now() + PATIENCE_MS, () => resolve(undefined));
  });
  try {
    const response = await Promise.race([known, late]);
    if (response) {
      return isEventStream(response) ? { isStream: true, response } : { isStream: false, response };
    }
  } finally {
    patience?.cancel();
  }
  const format = accept?.toLowerCase().includes('text/event-stream') ? EVENT_STREAM : JSON_TEXT;
  const headers = {
    'content-type': format.type,
    'cache-control': 'no-cache, no-transform',
    // nginx buffers what it is sent, unless it is told not to.
    'x-accel-buffering': 'no',
  };
  // Of a response that was made with a body, it is that body.
  const response = new Response(begun(known, format, options), { headers }) as StreamResponse;
  return { isStream: true, response };
}

/** How an answer is written that began before it was known. */
interface Format {
  readonly type: string;
  readonly keepAlive: string;
  /** What goes on the wire of the SDK's answer. */
  readonly write: (response: Response, send: (bytes: Uint8Array) => void) => Promise<void>;
}

const encoder = new TextEncoder();

const EVENT_STREAM: Format = {
  type: 'text/event-stream',
  keepAlive: ': keepalive\n\n',
  async write(response, send) {
    if (isEventStream(response)) for await (const frame of response.body) send(frame);
    else {
      const message = await response.text();
      // There is none to a request that its client has cancelled.
      if (message) send(encoder.encode(`event: message\ndata: ${message}\n\n`));
    }
  },
};

const JSON_TEXT: Format = {
  type: 'application/json',
  keepAlive: ' ',
  async write(response, send) {
    if (!isEventStream(response)) return send(new Uint8Array(await response.arrayBuffer()));
    // Of the messages on the SDK's stream, a frame each, this client can be given the answer, which is the last.
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
  { clock, deadlines, cancel }: LateAnswerOptions,
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
