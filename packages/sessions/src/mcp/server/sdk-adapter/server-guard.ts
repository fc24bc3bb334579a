import {
  isJSONRPCErrorResponse,
  isJSONRPCResultResponse,
  type JSONRPCErrorResponse,
  type JSONRPCMessage,
  type McpServer,
  ProtocolError,
  type RequestId,
  SdkError,
  type ServerContext,
  type Transport,
} from '@modelcontextprotocol/server';
import { AuthorError } from '../../../errors.js';
import type { Operation } from '../../../telemetry/operation.js';
import { handled } from '../../../time/promises.js';
import { type BoundStates, STALE_STATE, STALE_STATE_TEXT } from '../../request/bound-state.js';
import { errorResult } from '../../tools/tool-result.js';
import { ErrorCode } from '../../wire/error-response.js';
import { propertyOf, methodOf as rpcMethodOf } from '../../wire/json-rpc.js';
import type { RunningCall } from '../running-calls.js';
import { guardCall } from './call-guard.js';
import { sendableError, sendableResult } from './sendable.js';
import { currentServer, replaceMethod, SENDERS } from './server-methods.js';

export interface ServerGuardOptions {
  /** Called with errors in the author's code. */
  readonly onError: (error: unknown) => void;
  /** Called with errors that the SDK reports, most of them caused by clients. */
  readonly onProtocolError: (error: unknown) => void;
  readonly begin: BeginCall;
  readonly signOutSignal: SignOutSignal;
  readonly authorStates: BoundStates;
  /** What measures the current request. Default: nothing does. */
  readonly operation?: () => Operation | undefined;
}

/**
 * Admits a request.
 * @throws the error for the client if the request is refused
 */
type BeginCall = (request: unknown) => RunningCall;

/** The signal that aborts when the session of the current request is signed out or ends, if it names one. */
export type SignOutSignal = () => AbortSignal | undefined;

type Protocol = McpServer['server'];
type Handler = (request: unknown, context: ServerContext) => unknown;

/**
 * Guards a server object against errors in the author's code that would end the process or leave a client without an
 * answer: messages sent too late, unhandled rejections, callbacks that throw, and results that cannot be sent as JSON.
 * Call it before the author registers anything.
 */
export function guardServer(mcp: McpServer, options: ServerGuardOptions): void {
  // A client that is asked something may answer with an error, which is a ProtocolError here.
  const report = (error: unknown) =>
    error instanceof SdkError || error instanceof ProtocolError
      ? options.onProtocolError(error)
      : options.onError(error);
  guardHandlers(mcp, report, options);
  guardSenders(mcp, report);
  guardCallbacks(mcp, options);
}

function guardHandlers(
  mcp: McpServer,
  report: (error: unknown) => void,
  {
    begin,
    onError,
    signOutSignal,
    authorStates,
    operation: currentOperation,
  }: Omit<ServerGuardOptions, 'onProtocolError'>,
): void {
  replaceMethod(mcp.server, 'setRequestHandler', (set) => (...given) => {
    // The handler is the last argument.
    const [method] = given as [string];
    const handler = given.at(-1) as Handler;
    const guarded: Handler = async (request, context) => {
      const operation = currentOperation?.();
      const done = beginCall(begin, request, context.mcpReq.signal);
      operation?.handlerBegan();
      // The tool guard follows the sign-out of a tool call, and binds its state: its session may be another one after a
      // login.
      const signOut = method === 'tools/call' ? undefined : signOutSignal();
      const call = guardCall(context, signOut, report);
      try {
        if (context.mcpReq.requestState() === STALE_STATE) {
          const answer = staleAnswer(method);
          operation?.handlerReturned(answer);
          return answer;
        }
        const returned = await currentServer.run(mcp, () => handler(request, call.context));
        const result = method === 'tools/call' ? returned : authorStates.bind(returned);
        const answer = sendableResult(method, request, { result, onError });
        operation?.handlerReturned(answer);
        return answer;
      } catch (error) {
        const sent = sendableError(error, onError);
        operation?.handlerFailed(propertyOf(sent, 'code'));
        throw sent;
      } finally {
        call.end();
        done();
      }
    };
    set(...given.slice(0, -1), typeof handler === 'function' ? guarded : handler);
  });
}

/** @returns a function to call when the handler has returned */
function beginCall(begin: BeginCall, request: unknown, signal: AbortSignal): () => void {
  const call = begin(request);
  const onAbort = () => call.cancelled();
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return () => {
    signal.removeEventListener('abort', onAbort);
    call.returned();
  };
}

/** @throws ProtocolError for a resource or a prompt */
function staleAnswer(method: string): unknown {
  if (method === 'tools/call') return errorResult(STALE_STATE_TEXT);
  throw new ProtocolError(ErrorCode.invalidParams, STALE_STATE_TEXT, { reason: 'invalid_request_state' });
}

/** Guards messages that belong to no request. Their client may have disconnected. */
function guardSenders(mcp: McpServer, report: (error: unknown) => void): void {
  const { server } = mcp;
  const isLate = () => server.transport === undefined;
  replaceMethod(server, 'notification', (notify) => (...given) => {
    if (isLate()) return Promise.resolve();
    const sent = Promise.resolve(notify(...given)).catch((error: unknown) => {
      if (!isLate()) throw error;
    });
    return handled(sent, report);
  });
  for (const name of SENDERS) {
    // The method that sends the message has reported the error.
    const isLast = name === 'request';
    replaceMethod(server, name, (send) => (...given) => {
      const sent = send(...given) as Promise<unknown>;
      return handled(sent, (error) => isLast && !isLate() && report(error));
    });
  }
  replaceMethod(
    mcp,
    'sendLoggingMessage',
    (log) =>
      (...given) =>
        handled(log(...given) as Promise<void>),
  );
}

/** Guards the callbacks `onclose` and `onerror`, whose errors the SDK does not catch. */
function guardCallbacks(mcp: McpServer, { onError, onProtocolError }: ServerGuardOptions): void {
  const { server } = mcp;
  const guarded = (report: (error: Error) => void) => (error: Error) => attempt(() => report(error), onError);
  let onerror = guarded(onProtocolError);
  Object.defineProperty(server, 'onerror', {
    get: () => onerror,
    set: (own: Protocol['onerror']) => {
      onerror = guarded(own ?? onProtocolError);
    },
  });
  replaceMethod(mcp, 'connect', (connect) => async (transport) => {
    const channel = transport as Transport;
    guardAnswers(channel, onError);
    await connect(channel);
    const { onclose } = channel;
    channel.onclose = () => attempt(() => onclose?.(), onError);
  });
}

function attempt(act: () => unknown, onError: (error: unknown) => void): void {
  try {
    Promise.resolve(act()).catch(onError);
  } catch (error) {
    onError(error);
  }
}

/**
 * Ensures that every request is answered. A value that the SDK accepts as a result may be invalid, or may not be
 * serializable; the client then gets an internal error.
 */
function guardAnswers(transport: Transport, onError: (error: unknown) => void): void {
  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    const id = answeredIdOf(message);
    if (id === undefined) return send(message, options);
    try {
      if (!isAnswer(message)) throw new AuthorError('The result of a request is not a JSON-RPC result.');
      await send(message, options);
    } catch (error) {
      // This rejects again if the transport is closed.
      await send(unanswerable(id), options);
      onError(error);
    }
  };
}

function answeredIdOf(message: JSONRPCMessage): RequestId | undefined {
  if (rpcMethodOf(message) !== undefined) return undefined;
  // The SDK has validated the ids of requests.
  return propertyOf(message, 'id') as RequestId | undefined;
}

function isAnswer(message: JSONRPCMessage): boolean {
  return isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message);
}

function unanswerable(id: RequestId): JSONRPCErrorResponse {
  const message =
    'The server could not serialize its answer. Tell the operator of this server: the log has the error.';
  return { jsonrpc: '2.0', id, error: { code: ErrorCode.internal, message } };
}
