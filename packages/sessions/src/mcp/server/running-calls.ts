import { ProtocolError } from '@modelcontextprotocol/server';
import { bytesOfJson, MemoryQuota, type QuotaShare } from '../../limits/memory-quota.js';
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

/** A request whose handler is running. */
export interface RunningCall {
  /** Notes that the request was cancelled. Its handler may hang. */
  cancelled(): void;
  /** Notes that the handler has returned. */
  returned(): void;
}

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
   * Counts a request whose handler starts, until it has returned, or for a while after its request was cancelled.
   * @param ownBytes its size in memory without its parameters
   * @throws ProtocolError if the limit of the client or of the node is reached
   */
  begin(request: unknown, ownBytes: number): RunningCall {
    const call = this.tryBegin(propertyOf(request, 'params'), ownBytes);
    if (call) return call;
    throw new ProtocolError(ErrorCode.serverBusy, TOO_MUCH);
  }

  /** Counts a request with these parameters as {@link begin}; `undefined` if a limit is reached. */
  tryBegin(params: unknown, ownBytes: number): RunningCall | undefined {
    const context = this.#options.contexts.peek();
    const kept = this.#kept.open(context && quotaKeyOf(context));
    return kept.resize(ownBytes + bytesOfJson(params)) ? new CountedCall(this.#options, kept) : undefined;
  }
}

class CountedCall implements RunningCall {
  readonly #options: Pick<RunningCallsOptions, 'clock' | 'deadlines'>;
  readonly #kept: QuotaShare;
  #abandoned: Deadline | undefined;

  constructor(options: Pick<RunningCallsOptions, 'clock' | 'deadlines'>, kept: QuotaShare) {
    this.#options = options;
    this.#kept = kept;
  }

  cancelled(): void {
    const { clock, deadlines } = this.#options;
    this.#abandoned ??= deadlines.at(clock.now() + ABANDONED_MS, () => this.#kept.release());
  }

  returned(): void {
    this.#abandoned?.cancel();
    this.#kept.release();
  }
}
