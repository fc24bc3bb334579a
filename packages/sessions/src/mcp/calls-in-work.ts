import { ProtocolError } from '@modelcontextprotocol/server';
import { bytesOfJson, KeptBytes } from '../limits/kept-bytes.js';
import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';
import { propertyOf } from './json-rpc.js';
import { CALL_LIMITS, clientKeyOf } from './kept-limits.js';
import { ErrorCode } from './protocol-error.js';
import type { RequestContexts } from './request-context.js';

/** A handler that goes on although its request was cancelled is counted for so long: it may have got stuck. */
const ABANDONED_MS = 60_000;

const TOO_MUCH =
  'This server is working on as many requests as it can hold for you. Wait for some to be answered, or try again in a moment.';

export interface CallsInWorkOptions {
  readonly contexts: Pick<RequestContexts, 'peek'>;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/**
 * The memory of what handlers are working on. A client can hold as many requests open as it likes, and a handler goes on
 * when its 2025 client has hung up: what counts is when it is done.
 */
export class CallsInWork {
  readonly #options: CallsInWorkOptions;
  readonly #kept = new KeptBytes(CALL_LIMITS);

  constructor(options: CallsInWorkOptions) {
    this.#options = options;
  }

  /**
   * Counts a request that a handler begins to work on.
   * @param ownBytes what it takes up besides its parameters
   * @returns what to call when the handler is done
   * @throws ProtocolError when its client, or the node, has too much in work
   */
  begin(request: unknown, ownBytes: number, signal: AbortSignal): () => void {
    const { contexts, clock, deadlines } = this.#options;
    const context = contexts.peek();
    const kept = this.#kept.open(context && clientKeyOf(context));
    if (!kept.resize(ownBytes + bytesOfJson(propertyOf(request, 'params')))) {
      throw new ProtocolError(ErrorCode.serverBusy, TOO_MUCH);
    }
    let abandoned: Deadline | undefined;
    const abandon = () => {
      abandoned = deadlines.at(clock.now() + ABANDONED_MS, () => kept.release());
    };
    if (signal.aborted) abandon();
    else signal.addEventListener('abort', abandon, { once: true });
    return () => {
      signal.removeEventListener('abort', abandon);
      abandoned?.cancel();
      kept.release();
    };
  }
}
