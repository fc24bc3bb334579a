import type { McpServer, ServerContext } from '@modelcontextprotocol/server';
import type { RequestContexts } from '../request/context.js';
import { loginRequirementOf, type RequestHandler } from '../request/login-requirement.js';
import { refusalOf } from '../request/resolved-session.js';
import { assertArgumentFree, withSessionArgument } from '../request/session-argument.js';
import {
  assertListable,
  type SchemaPlace,
  standardSchemaOf,
  withFewIssues,
  withoutDefaultDialect,
} from '../request/tool-schema.js';
import { errorResult } from '../tools/tool-result.js';
import type { ParkedCalls } from './parked-calls.js';
import { sessionOutputOf } from './session-output.js';

type RegisterTool = McpServer['registerTool'];
type Register = (
  name: string,
  config: { inputSchema?: unknown; outputSchema?: unknown },
  callback: (...parameters: unknown[]) => unknown,
) => ReturnType<RegisterTool>;

/** The tools that a pending handle serves. */
const PENDING_TOOLS: ReadonlySet<string> = new Set(['login', 'session_status']);

export interface ToolGuardOptions {
  /** Whether requests name their session by an argument. */
  readonly hasHandles: boolean;
  readonly contexts: RequestContexts;
  /** Runs tools that need a login. */
  readonly parked: ParkedCalls;
  /** Look at every schema now, and refuse what cannot work: done once, when the server starts. */
  readonly strict: boolean;
}

/**
 * Puts a gate before every tool that is registered from now on: a handle that names no live session is
 * answered here, and where there are handles the tool's schema gains the argument that carries one.
 * @returns the names of those that need a login; it grows with the tools
 */
export function guardTools(server: McpServer, options: ToolGuardOptions): ReadonlySet<string> {
  const { hasHandles, contexts, parked, strict } = options;
  const requiresLogin = new Set<string>();
  // One signature for the overloads of registerTool: the gate passes on whatever it is given.
  const register = server.registerTool.bind(server) as unknown as Register;

  const gated: Register = (name, config, callback) => {
    const checked = (option: SchemaPlace['option']) => {
      const place: SchemaPlace = { tool: name, option };
      const schema = standardSchemaOf(config[option], place);
      if (strict) assertListable(schema, place);
      return schema;
    };
    const schema = checked('inputSchema');
    if (strict) assertArgumentFree(name, schema);
    const takesArguments = config.inputSchema !== undefined;
    const bounded = withFewIssues(schema);
    const inputSchema = hasHandles ? withSessionArgument(bounded) : bounded;
    const need = loginRequirementOf(callback as RequestHandler);
    if (need) requiresLogin.add(name);
    const outputSchema =
      config.outputSchema === undefined ? undefined : withoutDefaultDialect(checked('outputSchema'));
    const output = sessionOutputOf(outputSchema);
    const hasSchema = takesArguments || hasHandles;
    return register(
      name,
      {
        ...config,
        ...(hasSchema && { inputSchema }),
        ...(outputSchema && { outputSchema: need && hasHandles ? output.schema : outputSchema }),
      },
      (...parameters) => {
        const refusal = refusalOf(contexts.get().resolved, PENDING_TOOLS.has(name));
        if (refusal) return errorResult(refusal);
        const given = hasSchema && !takesArguments ? parameters.slice(1) : parameters;
        if (!need) return callback(...given);
        const args = given.slice(0, -1);
        // The SDK passes its context last.
        const protocol = given.at(-1) as ServerContext;
        const run = (current: ServerContext) => callback(...args, current);
        return parked.run({ need, output, run }, protocol);
      },
    );
  };
  server.registerTool = gated as unknown as RegisterTool;
  return requiresLogin;
}
