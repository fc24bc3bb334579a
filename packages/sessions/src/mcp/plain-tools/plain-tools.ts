import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SERVER_INFO_META_KEY,
} from '@modelcontextprotocol/server';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';
import { andThen, handled, isThenable, type MaybePromise } from '../../time/promises.js';
import type { BoundStates } from '../request/bound-state.js';
import { CALL_BYTES } from '../request/client-memory-limits.js';
import { type Era, liveRefOf, type RequestContext, type RequestContexts } from '../request/context.js';
import type { McpRequest, PlainRequest } from '../request/mcp-request.js';
import type { ServerFactory } from '../server/factory.js';
import type { RunningCalls } from '../server/running-calls.js';
import type { OwnTools } from '../server/sdk-adapter/own-tools.js';
import { isSendable } from '../server/sdk-adapter/sendable.js';
import type { TemplateTool } from '../server/sdk-adapter/server-template.js';
import { SlowCalls } from '../server/slow-calls.js';
import { type GuardedTool, guardedToolOf } from '../server/tool-guard.js';
import { isUsable } from '../tools/login/elicitation.js';
import { shapeOfValue } from '../wire/json-shape.js';
import type { PlainAnswer } from '../wire/plain-answer.js';
import { type PlainCall, PlainCalls } from './plain-call.js';
import { plainResultOf, type Validated } from './plain-result.js';
import { type Interruption, RunningTool, type RunningTools } from './running-tool.js';

export interface PlainToolsOptions {
  readonly servers: ServerFactory;
  readonly contexts: RequestContexts;
  readonly runningCalls: RunningCalls;
  readonly authorStates: BoundStates;
  readonly clock: Clock;
  /** For slow calls, which the SDK takes over: it keeps the connection of the client alive until the answer. */
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
  /** The tools of the connection. Absent in 2026-07-28. */
  readonly own?: OwnTools;
}

/** A call that runs without the SDK. */
export interface StartedCall {
  readonly running: RunningTool;
  /** The answer; `sdk`: the SDK has to serve the request, with the outcome of `running`. Never rejects. */
  readonly answer: Promise<PlainAnswer | Interruption>;
}

/**
 * Calls tools directly, in the usual case: a plain call of a tool with valid arguments, in a session that may call it,
 * whose result is plain, too. Everything else is served by the SDK, and so are all errors. If a tool has run
 * already, the SDK gets its outcome.
 */
export class PlainTools {
  readonly #options: PlainToolsOptions;
  readonly #calls = new PlainCalls();
  readonly #tools = new WeakMap<object, GuardedTool | 'needs SDK'>();
  readonly #end: Readonly<Record<Era, string>>;
  /** The calls whose tools have not returned. */
  readonly #running: SlowCalls<RunningTool>;
  readonly #runningTools: RunningTools;

  constructor(options: PlainToolsOptions) {
    this.#options = options;
    const { servers, authorStates, onError } = options;
    this.#running = new SlowCalls(options);
    this.#runningTools = {
      signOutSignal: (context) => servers.signOutSignal(context),
      bind: (result) => authorStates.bind(result),
      over: (running) => this.#running.delete(running),
      onError,
    };
    const _meta = { [SERVER_INFO_META_KEY]: options.serverInfo };
    this.#end = {
      '2025': '},"jsonrpc":"2.0","id":',
      '2026': `,"resultType":"complete","_meta":${JSON.stringify(_meta)}},"jsonrpc":"2.0","id":`,
    };
  }

  /** The tool that a request of 2026-07-28 calls; `undefined` if the SDK has to look at the request. */
  find(request: Pick<PlainRequest, 'body' | 'headers'>): CallableTool | undefined {
    const call = this.#calls.read(request);
    const found = call && this.#options.servers.toolNamed(call.name);
    if (!call || !found?.registered.enabled) return undefined;
    const tool = this.#toolOf(found);
    return tool === 'needs SDK' ? undefined : { call, tool };
  }

  /** The tool that a request of a 2025 connection calls; `undefined` if the SDK has to look at the request. */
  findOwn(call: PlainCall, own: OwnTools): CallableTool | undefined {
    const found = own.named(call.name);
    if (!found?.registered.enabled || found.registered.scopeChallenge !== undefined) return undefined;
    const { registration } = found;
    const known = this.#tools.get(registration);
    const tool = typeof known === 'object' ? known : guardedToolOf(registration, false);
    if (!known) this.#tools.set(registration, tool);
    return { call, tool, own };
  }

  /** Calls a tool. @returns `undefined` if the SDK has to serve the request: the tool was not called */
  start(
    called: CallableTool,
    request: Pick<McpRequest, 'request'>,
    context: RequestContext,
  ): MaybePromise<StartedCall | undefined> {
    if (!this.#isLoggedIn(called.tool, context)) return undefined;
    const validating = this.#argumentsOf(called);
    // A validation that hangs must not keep a connection from ending: the SDK validates again.
    if (called.own && validating instanceof Promise) return void handled(validating);
    return andThen(validating, (args) => args && this.#run(called, args, request, context));
  }

  #run(
    { call, tool, own }: CallableTool,
    args: readonly unknown[],
    request: Pick<McpRequest, 'request'>,
    context: RequestContext,
  ): StartedCall | undefined {
    const { contexts, runningCalls } = this.#options;
    // `requireLogin` has named its provider.
    const requiredProvider = tool.requirement?.provider;
    const client = own ? undefined : clientOf(call);
    const start = () => {
      const counted = runningCalls.tryBegin(call.params, own ? CALL_BYTES.ofConnection : CALL_BYTES.byItself);
      if (!counted) return undefined;
      const tools = this.#runningTools;
      const startedAtMs = this.#options.clock.now();
      const running = new RunningTool({ tools, call, request, context, counted, startedAtMs });
      this.#running.add(running);
      const { operation } = context;
      operation?.called(call.name, liveRefOf(context));
      const answer = running.run(
        (protocol) =>
          operation ? operation.runTool(() => tool.call(args, protocol)) : tool.call(args, protocol),
        (result) => this.#answerOf(result, call, tool),
      );
      return { running, answer };
    };
    const run = () => contexts.run({ ...context, requiredProvider, client }, start);
    return own ? own.run(run) : run();
  }

  /** The answer of a result; `sdk`: the SDK converts it, or says what is wrong with it. */
  #answerOf(
    result: unknown,
    { id, connection }: PlainCall,
    { outputSchema }: GuardedTool,
  ): MaybePromise<PlainAnswer | 'sdk'> {
    const answerOf = (plain: object | undefined): PlainAnswer | 'sdk' => {
      if (!plain || !isSendable(plain)) return 'sdk';
      // What follows the result is the same for every call.
      const end = this.#end[connection ? '2025' : '2026'];
      return { json: `{"result":${JSON.stringify(plain).slice(0, -1)}${end}${JSON.stringify(id)}}` };
    };
    try {
      const plain = plainResultOf(result, outputSchema);
      return plain instanceof Promise ? plain.then(answerOf).catch(() => 'sdk') : answerOf(plain);
    } catch {
      return 'sdk';
    }
  }

  /** Ends the calls, because the server closes. */
  close(): void {
    for (const running of this.#running) running.end();
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
  #argumentsOf({ call: { args }, tool }: CallableTool): MaybePromise<readonly unknown[] | undefined> {
    const { argumentElements: elements } = this.#options;
    const { elements: given } = shapeOfValue(args, { depth: Number.POSITIVE_INFINITY, elements });
    if (given > elements) return undefined;
    if (!tool.hasSchema) return [];
    const validated = tool.inputSchema['~standard'].validate(args ?? {});
    return isThenable(validated) ? Promise.resolve(validated).then(valuesOf) : valuesOf(validated);
  }
}

function valuesOf(validated: Validated): readonly unknown[] | undefined {
  return validated.issues?.length ? undefined : [(validated as { value: unknown }).value];
}

function clientOf({ envelope = {} }: PlainCall): RequestContext['client'] {
  return {
    getClientCapabilities: envelope[CLIENT_CAPABILITIES_META_KEY],
    getClientVersion: envelope[CLIENT_INFO_META_KEY],
    getNegotiatedProtocolVersion: envelope[PROTOCOL_VERSION_META_KEY],
  };
}
