import { ProtocolError } from '@modelcontextprotocol/server';
import { bytesOfJson, MemoryQuota } from '../../limits/memory-quota.js';
import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';
import { CALL_LIMITS, quotaKeyOf } from '../request/client-memory-limits.js';
import type { RequestContexts } from '../request/context.js';
import { ErrorCode } from '../wire/error-response.js';
import { propertyOf } from '../wire/json-rpc.js';

/** How long a handler still counts after its request was cancelled. It may hang and never return. */
const ABANDONED_MS = 60_000;

const TOO_MUCH =
  'Too many of your requests are in flight. Wait for some of them to be answered, or try again in a moment.';

export interface RunningCallsOptions {
  readonly contexts: Pick<RequestContexts, 'peek'>;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/**
 * Limits the memory of requests whose handlers are running. A handler continues after its 2025 client has disconnected,
 * so a request counts until its handler returns.
 */
export class RunningCalls {
  readonly #options: RunningCallsOptions;
  readonly #kept = new MemoryQuota(CALL_LIMITS);

  constructor(options: RunningCallsOptions) {
    this.#options = options;
  }

  /**
   * Counts a request whose handler starts.
   * @param ownBytes its size in memory without its parameters
   * @returns a function to call when the handler has returned
   * @throws ProtocolError if the limit of the client or of the node is reached
   */
  begin(request: unknown, ownBytes: number, signal: AbortSignal): () => void {
    const { contexts, clock, deadlines } = this.#options;
    const context = contexts.peek();
    const kept = this.#kept.open(context && quotaKeyOf(context));
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
