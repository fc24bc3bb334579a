import {
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  SdkError,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { AuthorError } from '../../errors.js';
import { handled } from '../../time/promises.js';
import { errorResult } from '../tools/tool-result.js';
import { propertyOf } from '../wire/json-rpc.js';
import { guardAnswers } from './guarded-answers.js';
import { guardCall } from './guarded-call.js';
import { unsendablePartOf } from './unsendable.js';

export interface ServerGuardOptions {
  /** Called with errors in the author's code. */
  readonly onError: (error: unknown) => void;
  /** Called with errors that the SDK reports, most of them caused by clients. */
  readonly onProtocolError: (error: unknown) => void;
}

/**
 * Admits a request.
 * @returns a function to call when its handler has returned
 * @throws the error for the client if the request is refused
 */
export type BeginCall = (request: unknown, signal: AbortSignal) => () => void;

type Protocol = McpServer['server'];
type Handler = (request: unknown, context: ServerContext) => unknown;
type SetRequestHandler = Protocol['setRequestHandler'];

/** The methods of the SDK's server that send a message, and reject if that fails. */
const SENDERS = [
  'request',
  'ping',
  'createMessage',
  'elicitInput',
  'listRoots',
  'sendLoggingMessage',
  'sendResourceUpdated',
  'sendResourceListChanged',
  'sendToolListChanged',
  'sendPromptListChanged',
] as const satisfies readonly (keyof Protocol)[];

/**
 * Guards a server object against errors in the author's code that would end the process or leave a client without an
 * answer: messages sent too late, unhandled rejections, callbacks that throw, and results that cannot be sent as JSON.
 * Call it before the author registers anything.
 */
export function guardServer(
  mcp: McpServer,
  options: ServerGuardOptions & { readonly begin: BeginCall },
): void {
  const { server } = mcp;
  // A client that is asked something may answer with an error, which is a ProtocolError here.
  const report = (error: unknown) =>
    error instanceof SdkError || error instanceof ProtocolError
      ? options.onProtocolError(error)
      : options.onError(error);
  guardHandlers(server, report, options);
  guardSenders(mcp, report);
  guardCallbacks(mcp, options);
}

function guardHandlers(
  server: Protocol,
  report: (error: unknown) => void,
  { begin, onError }: Pick<ServerGuardOptions, 'onError'> & { readonly begin: BeginCall },
): void {
  // One signature stands for the overloads of setRequestHandler; the arguments are passed on unchanged.
  const set = server.setRequestHandler.bind(server) as (method: string, ...rest: unknown[]) => void;
  server.setRequestHandler = ((method: string, ...rest: unknown[]) => {
    // The handler is the last argument.
    const handler = rest.at(-1) as Handler;
    const guarded: Handler = async (request, context) => {
      const done = begin(request, context.mcpReq.signal);
      const call = guardCall(context, report);
      try {
        return sendableResult(method, request, { result: await handler(request, call.context), onError });
      } catch (error) {
        throw sendableError(error, onError);
      } finally {
        call.end();
        done();
      }
    };
    set(method, ...rest.slice(0, -1), typeof handler === 'function' ? guarded : handler);
  }) as SetRequestHandler;
}

/** Guards messages that belong to no request. Their client may be gone. */
function guardSenders(mcp: McpServer, report: (error: unknown) => void): void {
  const { server } = mcp;
  const isLate = () => server.transport === undefined;
  const notify = server.notification.bind(server);
  server.notification = (...given) => {
    if (isLate()) return Promise.resolve();
    const sent = notify(...given).catch((error: unknown) => {
      if (!isLate()) throw error;
    });
    return handled(sent, report);
  };
  for (const name of SENDERS) {
    const send = server[name].bind(server) as (...given: unknown[]) => Promise<unknown>;
    // The method that sends the message has reported the error.
    const isLast = name === 'request';
    const guarded = (...given: unknown[]) =>
      handled(send(...given), (error) => isLast && !isLate() && report(error));
    Object.assign(server, { [name]: guarded });
  }
  const log = mcp.sendLoggingMessage.bind(mcp);
  mcp.sendLoggingMessage = (...given) => handled(log(...given));
}

/** Guards the callbacks `onclose` and `onerror`, whose errors the SDK does not catch. */
function guardCallbacks(mcp: McpServer, { onError, onProtocolError }: ServerGuardOptions): void {
  const { server } = mcp;
  let onerror: Protocol['onerror'];
  const reportError = (error: Error) => attempt(() => (onerror ?? onProtocolError)(error), onError);
  Object.defineProperty(server, 'onerror', {
    get: () => reportError,
    set: (own: Protocol['onerror']) => {
      onerror = own;
    },
  });
  const connect = mcp.connect.bind(mcp);
  mcp.connect = async (transport) => {
    guardAnswers(transport, onError);
    await connect(transport);
    const { onclose } = transport;
    transport.onclose = () => attempt(() => onclose?.(), onError);
  };
}

function attempt(act: () => unknown, onError: (error: unknown) => void): void {
  try {
    Promise.resolve(act()).catch(onError);
  } catch (error) {
    onError(error);
  }
}

/** A result if it can be sent as JSON, or an error in its place. */
function sendableResult(
  method: string,
  request: unknown,
  { result, onError }: { readonly result: unknown; readonly onError: (error: unknown) => void },
): unknown {
  const isObject = typeof result === 'object' && result !== null;
  const part = isObject
    ? unsendablePartOf(result)
    : `it is ${result === null ? 'null' : typeof result}, not an object`;
  if (part === undefined) return result;
  const name = propertyOf(propertyOf(request, 'params'), 'name');
  const what = typeof name === 'string' ? `${method} "${name.slice(0, 64)}"` : method;
  onError(new AuthorError(`The result of ${what} cannot be sent as JSON: ${part}.`));
  const message =
    'The result of this call cannot be sent as JSON. This is an error of the server. Tell its operator.';
  if (method === 'tools/call') return errorResult(message);
  throw new ProtocolError(ProtocolErrorCode.InternalError, message);
}

/**
 * An error that can be sent. The SDK answers with the error's code, message and data, and does not answer if it cannot
 * read or send them.
 */
function sendableError(error: unknown, onError: (error: unknown) => void): unknown {
  const message = messageOf(error);
  if (message !== undefined && isReadable(error)) return error;
  onError(error);
  return new ProtocolError(
    ProtocolErrorCode.InternalError,
    message ?? 'The server made a mistake. Tell its operator.',
  );
}

function messageOf(error: unknown): string | undefined {
  try {
    return error instanceof Error && typeof error.message === 'string' ? error.message : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the code and the data of an error can be read and sent. */
function isReadable(error: unknown): boolean {
  try {
    const { code, data } = error as { readonly code?: unknown; readonly data?: unknown };
    return typeof code !== 'bigint' && unsendablePartOf({ data }) === undefined;
  } catch {
    return false;
  }
}
