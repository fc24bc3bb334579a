import {
  type CallToolResult,
  type InputRequiredResult,
  isInputRequiredResult,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { SessionError } from '../../errors.js';
import { quotaKeyOf } from '../../login/login-attempt.js';
import type { SessionRecord } from '../../session/session-record.js';
import { type BoundStates, STALE_STATE, STALE_STATE_TEXT } from '../request/bound-state.js';
import { withRequestState } from '../request/call-context.js';
import type { RequestContext } from '../request/context.js';
import type { LoginRequirement } from '../request/login-requirement.js';
import type { RequestStateBinding, RequestStates } from '../request/request-state.js';
import { SESSION_META_KEY, withoutSessionArgument } from '../request/session-argument.js';
import { isUsable } from '../tools/login/elicitation.js';
import { type LoginToolOptions, login } from '../tools/login/login.js';
import type { LoginAnswer } from '../tools/login/login-call.js';
import { type LoginCall, originOf } from '../tools/login/login-call.js';
import { loginResult, nextWhilePending } from '../tools/login/login-texts.js';
import { errorResult } from '../tools/tool-result.js';
import type { SessionOutput } from './session-output.js';

export interface ParkedCallsOptions extends LoginToolOptions {
  readonly states: RequestStates;
  readonly authorStates: BoundStates;
}

type ToolResult = CallToolResult | InputRequiredResult;
/** A tool that requires a login. */
interface ToolRequiringLogin {
  readonly requirement: LoginRequirement;
  readonly output: SessionOutput;
  /** Runs the tool with the SDK's context of the call. */
  readonly run: (protocol: ServerContext) => unknown;
}

/** Marks the state of a call that has run after a login and now asks its client for input. */
const RESUMED_PREFIX = 'resumed.';
const resumedSchema = z.object({ handle: z.string(), state: z.string().optional() });

/**
 * Calls of tools that require a login. Without a login, the call is answered with an error that says what to do. If the
 * client supports URL elicitation in multiple rounds (2026-07-28), the call waits for the login and then runs, once.
 */
export class ParkedCalls {
  readonly #server: McpServer;
  readonly #options: ParkedCallsOptions;

  constructor(server: McpServer, options: ParkedCallsOptions) {
    this.#server = server;
    this.#options = options;
  }

  /** Runs a tool if a user is logged in, or when the user has logged in. */
  async run(tool: ToolRequiringLogin, protocol: ServerContext): Promise<unknown> {
    const { contexts, states, defaultProvider } = this.#options;
    const { provider = defaultProvider, scopes = [] } = tool.requirement;
    const context = contexts.get();
    const called = calledIn(context);
    const state: unknown = protocol.mcpReq.requestState();
    if (typeof state === 'string' && state.startsWith(RESUMED_PREFIX)) {
      return this.#resume(state, called, protocol, tool);
    }
    const isBack = states.isOurs(state);
    const canRun = async () =>
      (await this.#isUsable(context, provider, scopes)) || !this.#canPark(context, provider, protocol);
    // Without a login, the handler throws the error for the model.
    if (!isBack && (await canRun())) return tool.run(await this.#verified(protocol, state));
    const asked = isBack ? protocol : withRequestState(protocol, undefined);
    const request = { server: this.#server, args: { provider, scopes }, protocol: asked, called };
    const { call, answer } = await login(this.#options, request);
    if (isInputRequiredResult(answer)) return answer;
    if (answer.kind !== 'authenticated') return notRunResult(call, answer, defaultProvider);
    if (answer.wasSignedOut) return otherUserResult(answer, tool.output);
    const run = () => tool.run(withRequestState(protocol, undefined));
    // Not in the session as it is now: another user may have logged in since.
    return answer.handle === undefined
      ? contexts.run({ ...context, resolved: liveOf(answer.record) }, run)
      : this.#runInNewSession(answer.handle, context, called, { ...tool, run });
  }

  /** The context with the author's state, as the author's own check returns it. */
  async #verified(protocol: ServerContext, state: unknown): Promise<ServerContext> {
    if (typeof state !== 'string') return protocol;
    const verified = await this.#options.authorStates.verify(state, protocol);
    if (verified === STALE_STATE) throw new SessionError('signed_out', STALE_STATE_TEXT);
    return withRequestState(protocol, verified ?? state);
  }

  #canPark(context: RequestContext, provider: string, protocol: ServerContext): boolean {
    const { elicitation, logins } = this.#options;
    return (
      context.era === '2026' &&
      elicitation.mayAsk(elicitation.clientOf(this.#server, protocol, context)) &&
      logins.completesInBrowser({ clientName: undefined, ...originOf(context) }, provider)
    );
  }

  async #isUsable(
    { resolved }: RequestContext,
    provider: string,
    scopes: readonly string[],
  ): Promise<boolean> {
    if (resolved.state !== 'live') return false;
    const { registry, clock } = this.#options;
    const record = await registry.get(resolved.record.ref);
    return record !== undefined && isUsable({ record, provider, scopes }, clock.now());
  }

  /** Runs the tool in a new session. The client gets its handle with the result, not before. */
  async #runInNewSession(
    handle: string,
    context: RequestContext,
    called: Called,
    { output, run }: Pick<ToolRequiringLogin, 'output'> & { readonly run: () => unknown },
  ): Promise<unknown> {
    const { contexts, registry, states } = this.#options;
    const resolved = await registry.resolve('handle', handle);
    if (resolved.state !== 'live') return this.#sessionEnded();
    const live = { ...context, resolved: liveOf(resolved.record) };
    // The SDK has typed the handler so.
    const result = (await this.#whilePresent(resolved.record, () => contexts.run(live, run))) as ToolResult;
    if (!isInputRequiredResult(result)) return withHandle(result, handle, output);
    const { requestState: state } = result;
    const quotaKey = { session: resolved.record.ref, client: quotaKeyOf(originOf(context)) };
    const sealed = await states.seal(JSON.stringify({ handle, state }), bindingOf(called), quotaKey);
    return { ...result, requestState: RESUMED_PREFIX + sealed };
  }

  /** Counts the client as present in its new session until the result. The request names another session. */
  async #whilePresent(session: SessionRecord, run: () => unknown): Promise<unknown> {
    const endRequest = this.#options.registry.requestBegan(session.ref);
    try {
      return await run();
    } finally {
      endRequest('server');
    }
  }

  /** Continues a call that has asked its client for input after the login. */
  async #resume(
    state: string,
    called: Called,
    protocol: ServerContext,
    tool: ToolRequiringLogin,
  ): Promise<unknown> {
    const { contexts, states } = this.#options;
    const opened = await states.open(state.slice(RESUMED_PREFIX.length), bindingOf(called));
    const { handle, state: own } = resumedSchema.parse(JSON.parse(opened));
    const run = async () => tool.run(await this.#verified(withRequestState(protocol, undefined), own));
    return this.#runInNewSession(handle, contexts.get(), called, { ...tool, run });
  }

  #sessionEnded(): CallToolResult {
    return errorResult(
      'The session was signed out while the login was pending. Call `login` to start a new one.',
    );
  }
}

type Called = Omit<RequestStateBinding, 'session'>;

/** A state is bound to the tool and its arguments, as the client sent them. */
function calledIn({ toolName = '', toolArguments }: RequestContext): Called {
  return { tool: toolName, arguments: JSON.stringify(withoutSessionArgument(toolArguments) ?? null) };
}

function bindingOf(called: Called): RequestStateBinding {
  return { ...called, session: RESUMED_PREFIX };
}

function liveOf(record: SessionRecord): RequestContext['resolved'] {
  return { state: 'live', record, handle: undefined };
}

/** The result if the login is not completed: it has failed, needs a code, or took more rounds than allowed. */
function notRunResult(call: LoginCall, answer: LoginAnswer, defaultProvider: string): CallToolResult {
  if (answer.kind !== 'pending') return loginResult(call, answer, defaultProvider);
  const { login } = answer;
  const parts = [
    'This call requires a login, which is not completed. The call was not run.',
    !login.needsCode && `loginUrl: ${login.loginUrl}`,
    call.handle && `session: ${call.handle}`,
    nextWhilePending(call, answer, defaultProvider),
    'Then repeat this call.',
  ];
  return errorResult(parts.filter(Boolean).join('\n'));
}

/** The result if the session was signed out while the call waited: the call of one user never runs as another one. */
function otherUserResult(
  { account: { name, subject }, handle }: Extract<LoginAnswer, { kind: 'authenticated' }>,
  output: SessionOutput,
): CallToolResult {
  const result = errorResult(
    `The session was signed out while this call waited for the login, so the call was not run. ${name ?? subject} is logged in now. If the call is meant for this user, repeat it.`,
  );
  return handle === undefined ? result : withHandle(result, handle, output);
}

/** Adds the session handle to a result: for the model in text and structured content, for the host in `_meta`. */
function withHandle(result: CallToolResult, handle: string, output: SessionOutput): CallToolResult {
  const text = `The user has logged in. session: ${handle}\nPass this \`session\` in every further call of any tool.`;
  const structured = output.withSession(result.structuredContent, handle);
  return {
    ...result,
    // Revision 2026-07-28 allows any value; the SDK's type requires an object.
    ...(structured !== undefined && {
      structuredContent: structured as NonNullable<CallToolResult['structuredContent']>,
    }),
    _meta: { ...result._meta, [SESSION_META_KEY]: handle },
    content: [...result.content, { type: 'text', text }],
  };
}
