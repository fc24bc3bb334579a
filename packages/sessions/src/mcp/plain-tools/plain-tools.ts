import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SERVER_INFO_META_KEY,
} from '@modelcontextprotocol/server';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';
import type { BoundStates } from '../request/bound-state.js';
import { authInfoOf } from '../request/call-context.js';
import { CALL_BYTES } from '../request/client-memory-limits.js';
import type { RequestContext, RequestContexts } from '../request/context.js';
import type { PlainRequest } from '../request/mcp-request.js';
import type { ServerFactory } from '../server/factory.js';
import type { RunningCall, RunningCalls } from '../server/running-calls.js';
import { isSendable } from '../server/sdk-adapter/sendable.js';
import type { TemplateTool } from '../server/sdk-adapter/server-template.js';
import { type GuardedTool, guardedToolOf } from '../server/tool-guard.js';
import { isUsable } from '../tools/login/elicitation.js';
import { shapeOfValue } from '../wire/json-shape.js';
import type { PlainAnswer } from '../wire/plain-answer.js';
import { type PlainCall, PlainCalls } from './plain-call.js';
import { plainResultOf } from './plain-result.js';
import { type Interruption, RunningTool } from './running-tool.js';

/** After this time, or up to twice as long, the SDK takes a call over: it sends the client signs of life, and the answer when there is one. */
const TAKE_OVER_MS = 1000;

export interface PlainToolsOptions {
  readonly servers: ServerFactory;
  readonly contexts: RequestContexts;
  readonly runningCalls: RunningCalls;
  readonly authorStates: BoundStates;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly defaultProvider: string;
  /** Whether requests name their session by an argument. */
  readonly hasHandles: boolean;
  /** The maximum number of array elements and object keys in the arguments of a tool call. */
  readonly argumentElements: number;
  /** The server information in every answer. */
  readonly serverInfo: object;
  /** Called with errors of listeners of the author. */
  readonly onError: (error: unknown) => void;
}

/** A plain call of a tool that needs nothing of the SDK to be called. */
export interface CallableTool {
  readonly call: PlainCall;
  readonly tool: GuardedTool;
}

/** A call that runs without the SDK. */
export interface StartedCall {
  readonly running: RunningTool;
  /** The answer; `sdk`: the SDK has to serve the request, with the outcome of `running`. Never rejects. */
  readonly answer: Promise<PlainAnswer | Interruption>;
}

/**
 * Calls tools of 2026-07-28 directly, in the usual case: a plain call of a tool with valid arguments, in a session that
 * may call it, whose result is plain, too. Everything else is served by the SDK, and so are all errors. If a tool has run
 * already, the SDK gets its outcome.
 */
export class PlainTools {
  readonly #options: PlainToolsOptions;
  readonly #calls = new PlainCalls();
  readonly #tools = new WeakMap<object, GuardedTool | 'needs SDK'>();
  readonly #end: string;
  /** The calls whose tools have not returned, with their start. */
  readonly #running = new Map<RunningTool, number>();
  #isAwaiting = false;

  constructor(options: PlainToolsOptions) {
    this.#options = options;
    const _meta = { [SERVER_INFO_META_KEY]: options.serverInfo };
    this.#end = `,"resultType":"complete","_meta":${JSON.stringify(_meta)}},"jsonrpc":"2.0","id":`;
  }

  /** The tool that a request calls; `undefined` if the SDK has to look at the request. */
  find(request: Pick<PlainRequest, 'body' | 'headers'>): CallableTool | undefined {
    const call = this.#calls.read(request);
    const found = call && this.#options.servers.toolNamed(call.name);
    if (!call || !found?.registered.enabled) return undefined;
    const tool = this.#toolOf(found);
    return tool === 'needs SDK' ? undefined : { call, tool };
  }

  /** Calls a tool. @returns `undefined` if the SDK has to serve the request: the tool was not called */
  async start(
    { call, tool }: CallableTool,
    request: Pick<PlainRequest, 'request'>,
    context: RequestContext,
  ): Promise<StartedCall | undefined> {
    const { contexts, runningCalls, authorStates, servers, onError } = this.#options;
    if (!this.#isLoggedIn(tool, context)) return undefined;
    const args = await this.#argumentsOf(call, tool);
    if (!args) return undefined;
    const running = new RunningTool({
      call,
      request: () => request.request,
      authInfo: context.principal && authInfoOf(context.principal),
      signOut: () => servers.signOutSignal(context),
      bind: (result) => authorStates.bind(result),
      onOver: (over) => void this.#running.delete(over),
      onError,
    });
    return contexts.run({ ...context, client: clientOf(call) }, () => {
      const counted = runningCalls.tryBegin(call.params, CALL_BYTES.byItself);
      if (!counted) return undefined;
      this.#follow(running);
      const came = running.run((protocol) => tool.call(args, protocol));
      return { running, answer: this.#answer(came, { call, tool, running, counted }) };
    });
  }

  /** Never rejects. */
  async #answer(
    came: ReturnType<RunningTool['run']>,
    {
      call,
      tool,
      running,
      counted,
    }: CallableTool & { readonly running: RunningTool; readonly counted: RunningCall },
  ): Promise<PlainAnswer | Interruption> {
    try {
      const first = await came;
      if (typeof first === 'string') return first;
      const plain = plainResultOf(first.result, tool.outputSchema);
      const result = plain instanceof Promise ? await plain : plain;
      if (!result || !isSendable(result)) return 'sdk';
      // What follows the result is the same for every call.
      return {
        json: `{"result":${JSON.stringify(result).slice(0, -1)}${this.#end}${JSON.stringify(call.id)}}`,
      };
    } catch {
      // The SDK says what went wrong.
      return 'sdk';
    } finally {
      // The SDK counts what it serves itself.
      if (running.isEnded && !running.isOver) stopCounting(counted, running);
      else counted.returned();
    }
  }

  /** Ends the calls, because the server closes. */
  close(): void {
    for (const running of this.#running.keys()) running.end();
  }

  /** Keeps a call until its tool has returned. */
  #follow(running: RunningTool): void {
    this.#running.set(running, this.#options.clock.now());
    this.#awaitTakeOver();
  }

  /** Lets the SDK take over what takes long. All calls share a deadline: most of them are over long before. */
  #awaitTakeOver(): void {
    if (this.#isAwaiting) return;
    this.#isAwaiting = true;
    const { clock, deadlines } = this.#options;
    deadlines.at(clock.now() + TAKE_OVER_MS, () => {
      this.#isAwaiting = false;
      let isAnyLeft = false;
      for (const [running, startedAtMs] of this.#running) {
        if (clock.now() - startedAtMs >= TAKE_OVER_MS) running.interrupt();
        else isAnyLeft = true;
      }
      if (isAnyLeft) this.#awaitTakeOver();
    });
  }

  #toolOf({ registered, registration }: TemplateTool): GuardedTool | 'needs SDK' {
    const known = this.#tools.get(registration);
    if (known) return known;
    const tool = guardedToolOf(
      { ...registration, config: registered, callback: registered.handler },
      this.#options.hasHandles,
    );
    const json = tool.hasSchema
      ? tool.inputSchema['~standard'].jsonSchema.input({ target: 'draft-2020-12' })
      : {};
    const needsSdk =
      registered.scopeChallenge !== undefined || JSON.stringify(json).includes('"x-mcp-header"');
    this.#tools.set(registration, needsSdk ? 'needs SDK' : tool);
    return needsSdk ? 'needs SDK' : tool;
  }

  #isLoggedIn({ requirement }: GuardedTool, { resolved }: RequestContext): boolean {
    if (!requirement) return true;
    const { clock, defaultProvider } = this.#options;
    const { provider = defaultProvider, scopes = [] } = requirement;
    return (
      resolved.state === 'live' &&
      isUsable({ record: resolved.record, provider, scopes: [...scopes] }, clock.now())
    );
  }

  /** The validated arguments; `undefined` if they are not valid. */
  async #argumentsOf({ args }: PlainCall, tool: GuardedTool): Promise<readonly unknown[] | undefined> {
    const { argumentElements: elements } = this.#options;
    const { elements: given } = shapeOfValue(args, { depth: Number.POSITIVE_INFINITY, elements });
    if (given > elements) return undefined;
    if (!tool.hasSchema) return [];
    const validated = await tool.inputSchema['~standard'].validate(args ?? {});
    return validated.issues?.length ? undefined : [(validated as { value: unknown }).value];
  }
}

/** The handler of an ended call may go on, or hang. */
function stopCounting(counted: RunningCall, { outcome }: RunningTool): void {
  counted.cancelled();
  const returned = () => counted.returned();
  outcome.then(returned, returned);
}

function clientOf({ envelope }: PlainCall): RequestContext['client'] {
  return {
    getClientCapabilities: envelope[CLIENT_CAPABILITIES_META_KEY],
    getClientVersion: envelope[CLIENT_INFO_META_KEY],
    getNegotiatedProtocolVersion: envelope[PROTOCOL_VERSION_META_KEY],
  };
}
