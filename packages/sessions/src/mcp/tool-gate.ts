import type { McpServer, ServerContext } from '@modelcontextprotocol/server';
import { refusalOf } from './named-session.js';
import type { RequestContexts } from './request-context.js';
import { assertArgumentFree, inputSchemaOf, withSessionArgument } from './session-argument.js';
import { errorResult } from './tool-result.js';

type RegisterTool = McpServer['registerTool'];
type Register = (
  name: string,
  config: { inputSchema?: unknown },
  callback: (...parameters: unknown[]) => unknown,
) => ReturnType<RegisterTool>;

/** The tools that a pending handle serves. */
const PENDING_TOOLS: ReadonlySet<string> = new Set(['login', 'session_status']);

export interface ToolGateOptions {
  /** Whether requests name their session by an argument. */
  readonly hasHandles: boolean;
  /** Whether each request has a server object of its own. */
  readonly isPerRequest: boolean;
  readonly contexts: RequestContexts;
  /** Look at every schema now, and refuse what cannot work: done once, when the server starts. */
  readonly strict: boolean;
}

/**
 * Puts a gate before every tool that is registered from now on: a handle that names no live session is
 * answered here, and where there are handles the tool's schema gains the argument that carries one.
 */
export function gateTools(server: McpServer, options: ToolGateOptions): void {
  const { hasHandles, isPerRequest, contexts, strict } = options;
  // One signature for the overloads of registerTool: the gate passes on whatever it is given.
  const register = server.registerTool.bind(server) as unknown as Register;

  const gated: Register = (name, config, callback) => {
    const schema = inputSchemaOf(config.inputSchema);
    if (strict) assertArgumentFree(name, schema);
    const takesArguments = config.inputSchema !== undefined;
    const hasSchema = takesArguments || hasHandles;
    return register(
      name,
      hasHandles ? { ...config, inputSchema: withSessionArgument(schema) } : config,
      (...parameters) => {
        const refusal = refusalOf(contexts.get().named, PENDING_TOOLS.has(name));
        if (refusal) return errorResult(refusal);
        const given = hasSchema && !takesArguments ? parameters.slice(1) : parameters;
        return isPerRequest ? unlessOver(given, callback) : callback(...given);
      },
    );
  };
  server.registerTool = gated as unknown as RegisterTool;
}

/**
 * Calls a tool with a signal that is quiet once the tool is done: where every request stands alone the SDK
 * aborts it after each call, successful ones included, which looks like a client that has gone.
 */
async function unlessOver(
  parameters: unknown[],
  callback: (...given: unknown[]) => unknown,
): Promise<unknown> {
  // The SDK passes its context last.
  const context = parameters.at(-1) as ServerContext;
  const { signal } = context.mcpReq;
  const cancelled = new AbortController();
  const cancel = () => cancelled.abort(signal.reason);
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel);
  const mcpReq = withProperty(context.mcpReq, 'signal', cancelled.signal);
  try {
    return await callback(...parameters.slice(0, -1), withProperty(context, 'mcpReq', mcpReq));
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** A copy with one property replaced, and every other as it is, getters included. */
function withProperty<T extends object>(original: T, name: keyof T, value: unknown): T {
  const properties = Object.getOwnPropertyDescriptors(original);
  const replaced = { ...properties, [name]: { value, enumerable: true } };
  // Of the same prototype and with the same properties, it is of the same type.
  return Object.create(Object.getPrototypeOf(original), replaced) as T;
}
