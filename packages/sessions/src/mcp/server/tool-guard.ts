import type { McpServer, ServerContext, StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { SessionError } from '../../errors.js';
import type { BoundStates } from '../request/bound-state.js';
import { liveRefOf, type RequestContexts } from '../request/context.js';
import {
  type LoginRequirement,
  loginRequirementOf,
  type RequestHandler,
} from '../request/login-requirement.js';
import { refusalOf } from '../request/resolved-session.js';
import { assertArgumentFree, withSessionArgument } from '../request/session-argument.js';
import {
  assertListable,
  limitIssues,
  rememberedFor,
  type SchemaPlace,
  standardSchemaOf,
  withKnownJson,
  withoutDefaultDialect,
} from '../request/tool-schema.js';
import { errorResult } from '../tools/tool-result.js';
import type { ParkedCalls } from './parked-calls.js';
import { runUntilSignOut } from './sdk-adapter/call-guard.js';
import { followRegistrations, type Registration } from './sdk-adapter/registrations.js';
import type { SignOutSignal } from './sdk-adapter/server-guard.js';
import type { TemplateTool } from './sdk-adapter/server-template.js';
import { type SessionOutput, sessionOutputOf } from './session-output.js';
import { STATUS_URI } from './status-resource.js';

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
  readonly authorStates: BoundStates;
  /** Called with errors of listeners of the author. */
  readonly onError: (error: unknown) => void;
  /** Called for each registration and update. @throws SessionError `configuration` if it cannot be served */
  readonly check?: ((registration: Registration) => void) | undefined;
  /** Called before each registration and each update. */
  readonly onConfigure?: (() => void) | undefined;
}

/**
 * Checks what the author registers or updates.
 * @throws SessionError `configuration` if its name is reserved, or if one of its schemas cannot be listed
 */
export function assertServable(registration: Registration): void {
  assertNotReserved(registration);
  assertSchemas(registration);
}

/** @throws SessionError `configuration` */
export function assertNotReserved({ kind, name, place }: Registration): void {
  if (kind === 'tool' && OWN_TOOLS.has(name)) throw reserved(`tool name "${name}"`, 'a tool of this name');
  if (kind === 'resource' && place === STATUS_URI)
    throw reserved(`URI "${STATUS_URI}"`, 'a resource of this URI');
}

function assertSchemas({ kind, name, config }: Registration): void {
  if (kind === 'tool') checkInput(config.inputSchema, { kind, name, option: 'inputSchema' });
  if (kind === 'tool' && config.outputSchema !== undefined)
    checkOutput(config.outputSchema, { kind, name, option: 'outputSchema' });
  if (kind === 'prompt' && config.argsSchema !== undefined)
    checkPrompt(config.argsSchema, { kind, name, option: 'argsSchema' });
}

/** The checks take longer than the registration, and 2025 connections register the same schemas again. */
const checkInput = rememberedFor((given, place) => {
  assertArgumentFree(place.name, listable(given, place));
  return true;
});
const checkOutput = rememberedFor(listable);
const checkPrompt = rememberedFor(listable);

function listable(given: unknown, place: SchemaPlace): StandardSchemaWithJSON {
  const schema = withKnownJson(standardSchemaOf(given, place));
  assertListable(schema, place);
  return schema;
}

function reserved(what: string, own: string): SessionError {
  return new SessionError(
    'configuration',
    `The ${what} is reserved: the server has ${own} itself. Rename yours.`,
  );
}

/**
 * Guards every tool that is registered from now on. A call whose handle names no live session is answered with what to
 * do. If sessions are named by handles, the input schema of each tool gets the argument for the handle.
 * @returns the author's tools by their names, as they were registered; changes with each registration and update
 */
export function guardTools(server: McpServer, options: ToolGuardOptions): ReadonlyMap<string, TemplateTool> {
  const tools = new Map<string, TemplateTool>();
  const { check, onConfigure } = options;
  followRegistrations(server, {
    ...(check && { check }),
    ...(onConfigure && { onConfigure }),
    guard: (registration) => (registration.kind === 'tool' ? guarded(registration, options) : registration),
    onChange: (registered, next, previous) => {
      if (!('executor' in registered) || OWN_TOOLS.has(next?.name ?? '')) return;
      if (previous) tools.delete(previous.name);
      if (next) tools.set(next.name, { registered, registration: next });
    },
  });
  return tools;
}

/** The login that a tool requires. */
export function requirementOf({ callback }: Registration): LoginRequirement | undefined {
  return loginRequirementOf(callback as RequestHandler);
}

/** The input schemas in place of an author's: as it is, and with the argument for the handle. */
const inputsOf = rememberedFor((schema, place) => {
  const bounded = limitIssues(standardSchemaOf(schema, place));
  return { plain: withKnownJson(bounded), withSession: withKnownJson(withSessionArgument(bounded)) };
});

/** The output schemas in place of an author's: as it is, and for results that may contain a handle. */
const outputsOf = rememberedFor((schema, place) => {
  const plain = withKnownJson(withoutDefaultDialect(standardSchemaOf(schema, place)));
  const { schema: extended, ...output } = sessionOutputOf(plain);
  return { plain, withSession: { ...output, schema: extended && withKnownJson(extended) } };
});
const NO_OUTPUT = { plain: undefined, withSession: sessionOutputOf(undefined) };

/** What the SDK gets in place of an author's tool, apart from its callback. */
export interface GuardedTool {
  /** Whether the tool has an input schema: its author's, or one for the handle. */
  readonly hasSchema: boolean;
  readonly inputSchema: StandardSchemaWithJSON;
  readonly outputSchema: StandardSchemaWithJSON | undefined;
  /** The output of calls that may log the user in. */
  readonly output: SessionOutput;
  readonly requirement: LoginRequirement | undefined;
  /** Calls the author's handler with the arguments that it takes. */
  readonly call: (args: readonly unknown[], context: ServerContext) => unknown;
}

/** @param hasHandles whether requests name their session by an argument */
export function guardedToolOf(tool: Registration, hasHandles: boolean): GuardedTool {
  const { name, config } = tool;
  const callback = tool.callback as Callback;
  const inputs = inputsOf(config.inputSchema, { kind: 'tool', name, option: 'inputSchema' });
  const inputSchema = hasHandles ? inputs.withSession : inputs.plain;
  const requirement = requirementOf(tool);
  const output =
    config.outputSchema === undefined
      ? NO_OUTPUT
      : outputsOf(config.outputSchema, { kind: 'tool', name, option: 'outputSchema' });
  const takesArguments = config.inputSchema !== undefined;
  return {
    hasSchema: takesArguments || hasHandles,
    inputSchema,
    outputSchema: requirement && hasHandles ? output.withSession.schema : output.plain,
    output: output.withSession,
    requirement,
    call: (args, context) => (takesArguments ? callback(...args, context) : callback(context)),
  };
}

/** A tool whose calls are checked before they reach its handler. */
function guarded(
  tool: Registration,
  { hasHandles, contexts, parked, signOutSignal, authorStates, onError }: ToolGuardOptions,
): Registration {
  const { name, config } = tool;
  const { hasSchema, inputSchema, outputSchema, output, requirement, call } = guardedToolOf(tool, hasHandles);
  const guardedCallback: Callback = (...parameters) => {
    const context = contexts.get();
    const { resolved, running, operation } = context;
    // The SDK passes its context last.
    const protocol = parameters.at(-1) as ServerContext;
    if (running) return running.resume(protocol);
    operation?.called(name, liveRefOf(context));
    const refusal = refusalOf(resolved, OWN_TOOLS.has(name));
    if (refusal) return errorResult(refusal);
    const args = parameters.slice(0, -1);
    if (OWN_TOOLS.has(name)) return call(args, protocol);
    const run = async (current: ServerContext) =>
      authorStates.bind(
        await runUntilSignOut(current, signOutSignal(), onError, (guarded) =>
          operation ? operation.runTool(() => call(args, guarded)) : call(args, guarded),
        ),
      );
    if (!requirement) return run(protocol);
    return parked.run({ requirement, output, run }, protocol);
  };
  return {
    ...tool,
    config: {
      ...config,
      ...(hasSchema && { inputSchema }),
      ...(outputSchema && { outputSchema }),
    },
    callback: guardedCallback,
  };
}
