import type { McpServer, ServerContext } from '@modelcontextprotocol/server';
import { SessionError } from '../../errors.js';
import type { RequestContexts } from '../request/context.js';
import { loginRequirementOf, type RequestHandler } from '../request/login-requirement.js';
import { refusalOf } from '../request/resolved-session.js';
import { assertArgumentFree, withSessionArgument } from '../request/session-argument.js';
import {
  assertListable,
  limitIssues,
  type SchemaPlace,
  standardSchemaOf,
  withoutDefaultDialect,
} from '../request/tool-schema.js';
import { errorResult } from '../tools/tool-result.js';
import type { ParkedCalls } from './parked-calls.js';
import { runUntilSignOut } from './sdk-adapter/call-guard.js';
import type { SignOutSignal } from './sdk-adapter/server-guard.js';
import { replaceMethod } from './sdk-adapter/server-methods.js';
import type { ToolConfig } from './sdk-adapter/server-template.js';
import { sessionOutputOf } from './session-output.js';

type Callback = (...parameters: unknown[]) => unknown;

/** The tools that the library registers. A pending handle may call them. */
const OWN_TOOLS: ReadonlySet<string> = new Set(['login', 'logout', 'session_status']);

export interface ToolGuardOptions {
  /** Whether requests name their session by an argument. */
  readonly hasHandles: boolean;
  readonly contexts: RequestContexts;
  /** Runs tools that require a login. */
  readonly parked: ParkedCalls;
  readonly signOutSignal: SignOutSignal;
  /** Called with errors of listeners of the author. */
  readonly onError: (error: unknown) => void;
}

/**
 * Checks a tool of the author when the server starts.
 * @throws SessionError `configuration` if its name is reserved, or if one of its schemas cannot be listed
 */
export function assertServable(name: string, config: ToolConfig): void {
  if (OWN_TOOLS.has(name)) {
    throw new SessionError(
      'configuration',
      `The tool name "${name}" is reserved: the server has a tool of this name itself. Rename your tool.`,
    );
  }
  const schemaOf = (option: SchemaPlace['option']) => {
    const place: SchemaPlace = { tool: name, option };
    const schema = standardSchemaOf(config[option], place);
    assertListable(schema, place);
    return schema;
  };
  assertArgumentFree(name, schemaOf('inputSchema'));
  if (config.outputSchema !== undefined) schemaOf('outputSchema');
}

/**
 * Guards every tool that is registered from now on. A call whose handle names no live session is answered with what to
 * do. If sessions are named by handles, the input schema of each tool gets the argument for the handle.
 * @returns the names of the tools that require a login; grows with each registration
 */
export function guardTools(
  server: McpServer,
  { hasHandles, contexts, parked, signOutSignal, onError }: ToolGuardOptions,
): ReadonlySet<string> {
  const requiresLogin = new Set<string>();
  replaceMethod(server, 'registerTool', (register) => (...given) => {
    const [name, config, callback] = given as [string, ToolConfig, Callback];
    const bounded = limitIssues(standardSchemaOf(config.inputSchema, { tool: name, option: 'inputSchema' }));
    const inputSchema = hasHandles ? withSessionArgument(bounded) : bounded;
    const requirement = loginRequirementOf(callback as RequestHandler);
    if (requirement) requiresLogin.add(name);
    const outputSchema =
      config.outputSchema === undefined
        ? undefined
        : withoutDefaultDialect(
            standardSchemaOf(config.outputSchema, { tool: name, option: 'outputSchema' }),
          );
    const output = sessionOutputOf(outputSchema);
    const takesArguments = config.inputSchema !== undefined;
    const hasSchema = takesArguments || hasHandles;
    const guarded: Callback = (...parameters) => {
      const refusal = refusalOf(contexts.get().resolved, OWN_TOOLS.has(name));
      if (refusal) return errorResult(refusal);
      const own = hasSchema && !takesArguments ? parameters.slice(1) : parameters;
      const args = own.slice(0, -1);
      // The SDK passes its context last.
      const protocol = own.at(-1) as ServerContext;
      if (OWN_TOOLS.has(name)) return callback(...own);
      const run = (current: ServerContext) =>
        runUntilSignOut(current, signOutSignal(), onError, (guarded) => callback(...args, guarded));
      if (!requirement) return run(protocol);
      return parked.run({ requirement, output, run }, protocol);
    };
    const guardedConfig = {
      ...config,
      ...(hasSchema && { inputSchema }),
      ...(outputSchema && { outputSchema: requirement && hasHandles ? output.schema : outputSchema }),
    };
    return register(name, guardedConfig, guarded);
  });
  return requiresLogin;
}
