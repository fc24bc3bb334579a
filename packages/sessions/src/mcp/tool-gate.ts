import type { McpServer } from '@modelcontextprotocol/server';
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
  readonly contexts: RequestContexts;
  /** Look at every schema now, and refuse what cannot work: done once, when the server starts. */
  readonly strict: boolean;
}

/**
 * Puts a gate before every tool that is registered from now on: a handle that names no live session is
 * answered here, and where there are handles the tool's schema gains the argument that carries one.
 */
export function gateTools(server: McpServer, options: ToolGateOptions): void {
  const { hasHandles, contexts, strict } = options;
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
        return callback(...(hasSchema && !takesArguments ? parameters.slice(1) : parameters));
      },
    );
  };
  server.registerTool = gated as unknown as RegisterTool;
}
