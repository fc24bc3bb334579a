import type { PlainCall } from '../plain-tools/plain-call.js';
import type { PlainTools } from '../plain-tools/plain-tools.js';
import type { RunningTool } from '../plain-tools/running-tool.js';
import type { RequestContexts } from '../request/context.js';
import type { OwnTools } from '../server/sdk-adapter/own-tools.js';
import type { PlainAnswer } from '../wire/plain-answer.js';
import type { ConnectionTransport, HandedOver } from './transport.js';

type Answer = Response | PlainAnswer;

export interface DirectCallsOptions {
  readonly plainTools: PlainTools;
  /** The tools of the connection. */
  readonly tools: OwnTools;
  readonly contexts: RequestContexts;
  readonly transport: Pick<ConnectionTransport, 'reserve' | 'release'>;
  readonly now: () => number;
}

/** A call that the SDK does not know. */
interface DirectCall {
  /** Absent until its arguments are validated. */
  running?: RunningTool;
  /** Called when the SDK knows the call, or it is over. */
  readonly waiting: (() => void)[];
}

/**
 * The calls of one connection that run without the SDK. Before the SDK cancels or ends a call, it takes the call over,
 * and serves it like every other one.
 */
export class DirectCalls {
  readonly #options: DirectCallsOptions;
  readonly #calls = new Map<unknown, DirectCall>();

  constructor(options: DirectCallsOptions) {
    this.#options = options;
  }

  /** @param toSdk has the SDK serve the request; with a run of the tool in place of another one, if it has run */
  async serve(
    call: PlainCall,
    request: { readonly request: Request },
    toSdk: (handedOver?: HandedOver) => Promise<Answer>,
  ): Promise<Answer> {
    const { plainTools, tools, contexts, transport, now } = this.#options;
    const found = plainTools.findOwn(call, tools);
    const context = contexts.get();
    if (!found || !transport.reserve(call.id)) return toSdk();
    const direct: DirectCall = { waiting: [] };
    this.#calls.set(call.id, direct);
    const over = () => {
      this.#calls.delete(call.id);
      for (const resolve of direct.waiting.splice(0)) resolve();
    };
    try {
      const startedAtMs = now();
      const starting = plainTools.start(found, request, context);
      const started = starting instanceof Promise ? await starting : starting;
      if (started) {
        const { running } = started;
        direct.running = running;
        if (direct.waiting.length > 0) running.interrupt();
        const answer = await started.answer;
        if (typeof answer !== 'string') return answer;
        context.running = running;
      }
      transport.release(call.id);
      const onAnswered = () => started?.running.drop();
      return await toSdk({ startedAtMs, onDelivered: over, onAnswered });
    } finally {
      // Otherwise, another request may have the id by now.
      if (this.#calls.get(call.id) === direct) {
        transport.release(call.id);
        over();
      }
    }
  }

  /** Resolves when the SDK knows a call, or the call is over. */
  async handOver(id: unknown): Promise<void> {
    const direct = this.#calls.get(id);
    if (!direct) return;
    const over = new Promise<void>((resolve) => direct.waiting.push(resolve));
    direct.running?.interrupt();
    await over;
  }

  /** Resolves when no call runs without the SDK. */
  async handOverAll(): Promise<void> {
    await Promise.all([...this.#calls.keys()].map((id) => this.handOver(id)));
  }
}
