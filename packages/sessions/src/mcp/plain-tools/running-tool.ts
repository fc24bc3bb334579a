import { SdkError, SdkErrorCode, type ServerContext } from '@modelcontextprotocol/server';
import type { Linked } from '../../limits/linked-list.js';
import { type GuardedSignal, guardedSignal } from '../../time/guarded-signal.js';
import { handled, isThenable, type MaybePromise } from '../../time/promises.js';
import { authInfoOf } from '../request/call-context.js';
import type { RequestContext } from '../request/context.js';
import type { McpRequest } from '../request/mcp-request.js';
import type { RunningCall } from '../server/running-calls.js';
import { tooLate } from '../server/sdk-adapter/call-guard.js';
import type { PlainCall } from './plain-call.js';

/** Why a call does not go on without the SDK: its tool needs it, or its client or this server has ended it. */
export type Interruption = 'sdk' | 'ended';

/**
 * What all running tools share. What belongs to one call is no function in a property: a call of one would keep what it
 * refers to from V8's collector of young objects.
 */
export interface RunningTools {
  /** The signal that aborts when the session of the call is signed out. */
  signOutSignal(context: RequestContext): AbortSignal | undefined;
  /** Binds the state in a result to the session. */
  bind(result: unknown): unknown;
  /** Called when the tool has returned or thrown. */
  over(running: RunningTool): void;
  /** Called with errors of listeners of the author. */
  readonly onError: (error: unknown) => void;
}

export interface RunningToolOptions {
  readonly tools: RunningTools;
  readonly call: PlainCall;
  readonly request: Pick<McpRequest, 'request'>;
  readonly context: RequestContext;
  readonly counted: RunningCall;
  readonly startedAtMs: number;
}

/** What a tool does with the SDK's context of its call. */
type Use<T> = (context: ServerContext) => Promise<T>;

/** What a tool waits for until the SDK serves its call. */
interface Waiting {
  use(context: ServerContext): void;
  drop(): void;
}

/**
 * A tool that runs without the SDK. Its context is made of what the client sent. If the tool uses more, such as a
 * notification, the SDK serves the same request, too: it gets the outcome of this run in place of another one.
 */
export class RunningTool implements Linked<RunningTool> {
  previous: RunningTool | undefined;
  next: RunningTool | undefined;
  readonly context: ServerContext;
  readonly startedAtMs: number;
  readonly #options: RunningToolOptions;
  readonly #waiting: Waiting[] = [];
  #sdk: ServerContext | undefined;
  #outcome: Promise<unknown> = Promise.resolve();
  #signal: GuardedSignal | undefined;
  #ended: AbortController | undefined;
  #isOver = false;
  #isEnded = false;
  #isAborted = false;
  #reason: unknown;
  #requests: object | undefined;
  #http: object | undefined;
  #resolve: ((why: Interruption) => void) | undefined;

  constructor(options: RunningToolOptions) {
    this.#options = options;
    this.startedAtMs = options.startedAtMs;
    this.context = contextOf(this, options.call.connection?.id);
  }

  /**
   * Runs the tool.
   * @param answerOf makes the answer of its result; does not throw or reject
   * @returns the answer, or why the call does not go on without the SDK; `outcome` goes on then. Never rejects: the SDK
   * says what a tool has thrown
   */
  run<T>(
    tool: (context: ServerContext) => unknown,
    answerOf: (result: unknown) => MaybePromise<T | 'sdk'>,
  ): Promise<T | Interruption> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#outcome = this.#run(tool);
      this.#outcome.then(
        (result) => {
          const answer = answerOf(result);
          // A promise that it is resolved with could not be interrupted any more.
          if (answer instanceof Promise) void answer.then(resolve);
          else resolve(answer);
        },
        () => resolve('sdk'),
      );
    });
  }

  #interrupt(why: Interruption): void {
    const { counted } = this.#options;
    // The handler of an ended call may go on, or hang. The SDK counts what it serves itself.
    if (why === 'ended') counted.cancelled();
    else counted.returned();
    this.#resolve?.(why);
  }

  /** Not an async function: each promise costs more while the storage of contexts is in use. */
  #run(tool: (context: ServerContext) => unknown): Promise<unknown> {
    const over = (result: unknown) => {
      this.#end();
      return this.#options.tools.bind(result);
    };
    try {
      const returned = tool(this.context);
      if (!isThenable(returned)) return Promise.resolve(over(returned));
      return Promise.resolve(returned).then(over, (error: unknown) => {
        this.#end();
        throw error;
      });
    } catch (error) {
      this.#end();
      return Promise.reject(error);
    }
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#signal?.release();
    this.#options.counted.returned();
    this.#options.tools.over(this);
  }

  /** Goes on with the SDK, because the call takes long. */
  interrupt(): void {
    this.#interrupt('sdk');
  }

  /** Ends the call: its client has disconnected, or this server closes. */
  end(): void {
    this.#isEnded = true;
    this.#abort(closed());
    if (!this.#isOver) this.#interrupt('ended');
    this.drop();
  }

  /** Drops what the tool waits to send, because the SDK does not serve the call. */
  drop(): void {
    for (const { drop } of this.#waiting.splice(0)) drop();
  }

  /** Gives the call the context of the SDK, which serves it from now on. @returns what the tool returns */
  resume(context: ServerContext): Promise<unknown> {
    this.#sdk = context;
    const { signal } = context.mcpReq;
    const abort = () => this.#abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    for (const { use } of this.#waiting.splice(0)) use(context);
    return this.#outcome;
  }

  #abort(reason: unknown): void {
    this.#isAborted = true;
    this.#reason = reason;
    this.#ended?.abort(reason);
  }

  /** The signal is made when the tool asks for it: most tools never do. */
  get #abortSignal(): AbortSignal {
    if (!this.#signal) {
      this.#ended = new AbortController();
      if (this.#isAborted) this.#ended.abort(this.#reason);
      const { tools, context } = this.#options;
      const signOut = tools.signOutSignal(context);
      const sources = signOut ? [this.#ended.signal, signOut] : [this.#ended.signal];
      this.#signal = guardedSignal(sources, tools.onError);
      if (this.#isOver) this.#signal.release();
    }
    return this.#signal.signal;
  }

  /**
   * Uses the SDK's context as soon as the SDK serves the call.
   * @param late what happens instead after the end of the call
   */
  #withSdk<T>(use: Use<T>, late: () => Promise<T>): Promise<T> {
    if (this.#sdk) return use(this.#sdk);
    if (this.#isOver || this.#isEnded) return late();
    return handled(
      new Promise<T>((resolve, reject) => {
        this.#waiting.push({
          // It may throw at once.
          use: (context) => void (async () => use(context))().then(resolve, reject),
          drop: () => resolve(late()),
        });
        this.#interrupt('sdk');
      }),
    );
  }

  /** The parts of the context are made when the tool asks for them: many tools never do. */
  get requests(): object {
    this.#requests ??= this.#requestsOf(this.#options.call);
    return this.#requests;
  }

  get http(): object {
    const { request, context, call } = this.#options;
    const closers = call.connection?.isResumable ? this.#closers : NO_CLOSERS;
    this.#http ??= httpOf(request, context.principal && authInfoOf(context.principal), closers);
    return this.#http;
  }

  get #closers(): Closers {
    const close = (name: keyof Closers) => () =>
      void this.#withSdk(
        async ({ http }) => http?.[name]?.(),
        () => Promise.resolve(),
      );
    return { closeSSE: close('closeSSE'), closeStandaloneSSE: close('closeStandaloneSSE') };
  }

  #requestsOf({ id, meta, envelope, connection }: PlainCall): object {
    const signal = () => this.#abortSignal;
    const ask = <T>(use: Use<T>) => this.#withSdk(use, () => handled(Promise.reject<T>(tooLate())));
    return {
      id,
      method: 'tools/call',
      _meta: meta,
      ...(envelope && { envelope }),
      requestState: noState,
      get signal() {
        return signal();
      },
      send: (...given: unknown[]) => ask(({ mcpReq }) => (mcpReq.send as Send)(...given)),
      notify: (...given: Parameters<Requests['notify']>) =>
        this.#withSdk(
          ({ mcpReq }) => mcpReq.notify(...given),
          () => Promise.resolve(),
        ),
      log: connection
        ? (...given: Parameters<Requests['log']>) =>
            this.#withSdk(
              ({ mcpReq }) => mcpReq.log(...given),
              () => Promise.resolve(),
            )
        : // The envelope names no level, so the SDK would send nothing.
          () => Promise.resolve(),
      elicitInput: (...given: Parameters<Requests['elicitInput']>) =>
        ask(({ mcpReq }) => mcpReq.elicitInput(...given)),
      requestSampling: (...given: Parameters<Requests['requestSampling']>) =>
        ask(({ mcpReq }) => mcpReq.requestSampling(...given)),
    };
  }
}

const RUNNING: unique symbol = Symbol('running tool');
type Owned = { readonly [RUNNING]: RunningTool };

/**
 * The same functions for all contexts: V8 makes a hidden class for an object with a getter of its own, and keeps it, with
 * all that the getter refers to, until a full collection.
 */
const PARTS: Readonly<Record<'mcpReq' | 'http', PropertyDescriptor & ThisType<Owned>>> = {
  mcpReq: {
    enumerable: true,
    configurable: true,
    get() {
      return this[RUNNING].requests;
    },
  },
  http: {
    enumerable: true,
    configurable: true,
    get() {
      return this[RUNNING].http;
    },
  },
};

function contextOf(running: RunningTool, sessionId: string | undefined): ServerContext {
  const context = { sessionId };
  Object.defineProperty(context, RUNNING, { value: running });
  Object.defineProperty(context, 'mcpReq', PARTS.mcpReq);
  Object.defineProperty(context, 'http', PARTS.http);
  // It has what the SDK's context of such a call has.
  return context as unknown as ServerContext;
}

type Requests = ServerContext['mcpReq'];
type Send = (...given: unknown[]) => Promise<unknown>;

function noState(): undefined {
  return undefined;
}

function closed(): SdkError {
  return new SdkError(SdkErrorCode.ConnectionClosed, 'Connection closed');
}

/** What closes the streams of a connection, so that its client resumes them later. */
type Closers = Readonly<Record<'closeSSE' | 'closeStandaloneSSE', (() => void) | undefined>>;
const NO_CLOSERS: Closers = { closeSSE: undefined, closeStandaloneSSE: undefined };

function httpOf(
  request: Pick<McpRequest, 'request'>,
  authInfo: object | undefined,
  closers: Closers,
): object {
  const http = {
    get req() {
      return request.request;
    },
    ...closers,
  };
  // It precedes the others in the SDK's context.
  return authInfo ? Object.defineProperties({ authInfo }, Object.getOwnPropertyDescriptors(http)) : http;
}
