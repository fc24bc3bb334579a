import type { CallToolResult, McpServer } from '@modelcontextprotocol/server';
import type { EndReason } from '../session/session-record.js';
import type { Era, NamedSession, RequestContexts } from './request-context.js';
import { assertArgumentFree, inputSchemaOf, withSessionArgument } from './session-argument.js';

type RegisterTool = McpServer['registerTool'];
type Register = (
  name: string,
  config: { inputSchema?: unknown },
  callback: (...parameters: unknown[]) => unknown,
) => ReturnType<RegisterTool>;

/** The tools that a pending handle serves. */
const PENDING_TOOLS = new Set(['login', 'session_status']);

export interface ToolGateOptions {
  readonly era: Era;
  readonly contexts: RequestContexts;
  /** Look at every schema now, and refuse what cannot work: done once, when the server starts. */
  readonly strict: boolean;
}

/**
 * Puts a gate before every tool that is registered from now on: a handle that names no live session is
 * answered here, and in the 2026 era the tool's schema gains the argument that carries the handle.
 */
export function gateTools(server: McpServer, options: ToolGateOptions): void {
  const { era, contexts, strict } = options;
  // One signature for the overloads of registerTool: the gate passes on whatever it is given.
  const register = server.registerTool.bind(server) as unknown as Register;

  const gated: Register = (name, config, callback) => {
    const schema = inputSchemaOf(config.inputSchema);
    if (strict) assertArgumentFree(name, schema);
    const takesArguments = config.inputSchema !== undefined;
    const hasSchema = takesArguments || era === '2026';
    return register(
      name,
      era === '2026' ? { ...config, inputSchema: withSessionArgument(schema) } : config,
      (...parameters) => {
        const refusal = refusalOf(contexts.get().named, name);
        if (refusal)
          return { content: [{ type: 'text', text: refusal }], isError: true } satisfies CallToolResult;
        return callback(...(hasSchema && !takesArguments ? parameters.slice(1) : parameters));
      },
    );
  };
  server.registerTool = gated as unknown as RegisterTool;
}

function refusalOf(named: NamedSession, toolName: string): string | undefined {
  switch (named.state) {
    case 'none':
      return undefined;
    case 'live':
      return named.record.kind === 'pending-handle' && !PENDING_TOOLS.has(toolName)
        ? 'This handle belongs to a login that is not finished. Call `login` with it until it returns the session handle, then use that one.'
        : undefined;
    case 'unknown':
      return 'No session has this handle. Call `login` without `session` to get a new one.';
    case 'ended':
      return `The session of this handle has ended: ${whyEnded(named.reason)}. Call \`login\` without \`session\` to get a new one.`;
  }
}

function whyEnded(reason: EndReason): string {
  switch (reason) {
    case 'logout':
      return 'its user logged out';
    case 'idle':
      return 'it was not used for too long';
    case 'absolute':
      return 'its login reached its longest lifetime';
    case 'disconnect':
      return 'its client went away';
    case 'replaced':
      return 'the login was finished and has a new handle';
    case 'login_expired':
      return 'its login was not finished in time';
    case 'operator':
    case 'deleted':
    case 'unheard':
    case 'cap':
    case 'shutdown':
      return 'the server closed it';
  }
}
