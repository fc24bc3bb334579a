import {
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  SdkError,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { AuthorError } from '../errors.js';
import { handled } from '../promises.js';
import { guardAnswers } from './guarded-answers.js';
import { guardCall } from './guarded-call.js';
import { propertyOf } from './json-rpc.js';
import { errorResult } from './tool-result.js';
import { unsendablePartOf } from './unsendable.js';

export interface ServerGuardOptions {
  /** Hears of mistakes in an author's code. */
  readonly onError: (error: unknown) => void;
  /** Hears what the SDK reports: mostly what clients did wrong. */
  readonly onProtocolError: (error: unknown) => void;
}

type Protocol = McpServer['server'];
type Handler = (request: unknown, context: ServerContext) => unknown;
type SetRequestHandler = Protocol['setRequestHandler'];

/** The methods of the SDK's server that send something, and reject when that fails. */
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
 * Guards a server object, as soon as it is made, against mistakes that would end the process or leave a client without
 * an answer: what is sent too late, what rejects while nobody waits, callbacks that throw, and results that cannot be
 * sent as JSON. Everything that an author registers or sends passes through here.
 */
export function guardServer(mcp: McpServer, options: ServerGuardOptions): void {
  const { server } = mcp;
  const report = (error: unknown) =>
    error instanceof SdkError ? options.onProtocolError(error) : options.onError(error);
  guardHandlers(server, report, options.onError);
  guardSenders(mcp, report);
  guardCallbacks(mcp, options);
}

function guardHandlers(
  server: Protocol,
  report: (error: unknown) => void,
  onError: (error: unknown) => void,
): void {
  // One signature for the overloads of setRequestHandler: the guard passes on whatever it is given.
  const set = server.setRequestHandler.bind(server) as (method: string, ...rest: unknown[]) => void;
  server.setRequestHandler = ((method: string, ...rest: unknown[]) => {
    // The SDK takes the handler last.
    const handler = rest.at(-1) as Handler;
    const guarded: Handler = async (request, context) => {
      const call = guardCall(context, report);
      try {
        return sendableResult(method, request, { result: await handler(request, call.context), onError });
      } catch (error) {
        throw sendableError(error, onError);
      } finally {
        call.end();
      }
    };
    set(method, ...rest.slice(0, -1), typeof handler === 'function' ? guarded : handler);
  }) as SetRequestHandler;
}

/** What is sent on behalf of no request in particular, to a client that may be gone. */
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
    // What sends in the end has reported it.
    const isLast = name === 'request';
    const guarded = (...given: unknown[]) =>
      handled(send(...given), (error) => isLast && !isLate() && report(error));
    Object.assign(server, { [name]: guarded });
  }
  const log = mcp.sendLoggingMessage.bind(mcp);
  mcp.sendLoggingMessage = (...given) => handled(log(...given));
}

/** What the SDK calls when nobody is left to catch what it throws. */
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

/** A result as it may be sent, or what is sent instead. */
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

/** The SDK answers with an error's code, message and data, and with nothing if there is no reading or sending them. */
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

/** Whether what the SDK reads of an error besides its message can be read, and sent. */
function isReadable(error: unknown): boolean {
  try {
    const { code, data } = error as { readonly code?: unknown; readonly data?: unknown };
    return typeof code !== 'bigint' && unsendablePartOf({ data }) === undefined;
  } catch {
    return false;
  }
}
