import {
  type CallToolResult,
  type InputRequest,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Accounts } from '../../account/accounts.js';
import { SessionError } from '../../errors.js';
import type { LoginOutcome } from '../../login/login-attempt.js';
import type { Logins, PendingLogin } from '../../login/logins.js';
import type { OpenBrowser } from '../../login/open-browser.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import type { Clock } from '../../time/clock.js';
import { type RandomSource, randomToken } from '../../vault/random.js';
import { clientNameOf, supportsUrlElicitation } from '../client-traits.js';
import { withProgress } from '../progress.js';
import type { RequestContext, RequestContexts } from '../request-context.js';
import type { RequestStateBinding, RequestStates } from '../request-state.js';
import { type LoginCall, loginCallOf, placeOf } from './login-call.js';
import type { LoginArguments } from './login-input.js';
import {
  authenticatedResult,
  descriptionOf,
  failedResult,
  invitation,
  loginOutputSchema,
  pendingResult,
  waitingFor,
  wrongCodeResult,
} from './login-results.js';

export interface LoginToolOptions {
  readonly contexts: RequestContexts;
  readonly registry: SessionRegistry;
  readonly accounts: Accounts;
  readonly logins: Logins;
  readonly states: RequestStates;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly defaultProvider: string;
  /** From {@link loginInputSchema}; one for all server objects. */
  readonly inputSchema: z.ZodType<LoginArguments>;
  /** Whether users may log in by a code at the provider's own page. */
  readonly hasDeviceFlow: boolean;
  /** Whether sessions are named by handles, which `login` returns. */
  readonly hasHandles: boolean;
  /** Opens the link for the user, where the client does not. */
  readonly openBrowser?: OpenBrowser | undefined;
}

/** How long one round of a call waits for the browser: clients give up after 60 seconds. */
const ROUND_MS = 25_000;
/** In the 2025 era the whole call has to fit into those 60 seconds. */
const CALL_2025_MS = 45_000;
/** 2026 clients go ten rounds at most. */
const MAX_ROUNDS = 8;

const roundSchema = z.object({ round: z.number(), startedAtMs: z.number(), handle: z.string().optional() });
type Round = z.infer<typeof roundSchema>;

/** Registers `login`: it starts a login, goes on with it, or finishes it. Calling it again is always safe. */
export function registerLoginTool(server: McpServer, options: LoginToolOptions): void {
  server.registerTool(
    'login',
    {
      title: 'Log in',
      description: descriptionOf(options.hasDeviceFlow),
      inputSchema: options.inputSchema,
      outputSchema: loginOutputSchema(options),
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    },
    (args, protocol) => {
      const call = { tool: 'login', arguments: JSON.stringify([args.provider, args.code, args.flow]) };
      return login(options, server, args, protocol, call);
    },
  );
}

/**
 * Goes on with a login as far as that is possible now.
 * @param called what was called, and how: the state of a round is of no use to any other call
 */
export async function login(
  options: LoginToolOptions,
  server: McpServer,
  args: LoginArguments,
  protocol: ServerContext,
  called: Omit<RequestStateBinding, 'session'>,
): Promise<CallToolResult | InputRequiredResult> {
  const { contexts, registry, logins, defaultProvider } = options;
  const context = contexts.get();
  const binding = { ...called, session: sessionOf(context) };
  const round = roundOf(options, protocol, binding);
  const provider = args.provider ?? defaultProvider;
  // Before a pending handle is minted that would lead nowhere.
  if (context.named.state === 'none' && !round) {
    await logins.prepare(provider);
    logins.assertMayStart(placeOf(context));
  }
  const call = await loginCallOf(registry, context, provider, round?.handle);

  if (args.code !== undefined) return confirmed(options, call, args.code);
  if (call.record.accounts[provider]?.state === 'authenticated') return authenticated(options, call);
  if (round) return goOn(options, call, protocol, round, binding);

  const failure = logins.takeFailure(call.lease.ref, provider);
  if (failure) return failedResult(failure, call, options.defaultProvider);
  const origin = { clientName: clientNameOf(server, protocol), ...call.from };
  const pending = await logins.start(call.lease, provider, origin, args.flow);
  if (!pending.needsCode && supportsUrlElicitation(server, protocol))
    return openByClient(options, call, pending, binding);
  if (pending.isNew && pending.userCode === undefined) void options.openBrowser?.(pending.loginUrl);
  // The user may have approved just now, and the provider is asked only every few seconds.
  const outcome = pending.isNew
    ? undefined
    : await settled(options, call, protocol, pending, pending.knownWithinMs, options.clock.now());
  return outcome ? finished(options, call, outcome) : pendingResult(call, pending, defaultProvider);
}

/** Asks the client to open the link. It comes back with what the user said to that. */
function openByClient(
  options: LoginToolOptions,
  call: LoginCall,
  pending: PendingLogin,
  binding: RequestStateBinding,
): InputRequiredResult {
  const request = inputRequired.elicitUrl({ message: invitation(pending), url: pending.loginUrl });
  const login = call.era === '2025' ? withElicitationId(request, randomToken(options.random)) : request;
  const requestState = nextState(options, call, undefined, binding);
  return inputRequired({ inputRequests: { login }, requestState });
}

/** A later round of the same call: the user has been asked to open the link, and may be at it. */
async function goOn(
  options: LoginToolOptions,
  call: LoginCall,
  protocol: ServerContext,
  round: Round,
  binding: RequestStateBinding,
): Promise<CallToolResult | InputRequiredResult> {
  const { logins, clock, defaultProvider } = options;
  const { era, provider } = call;
  const { ref } = call.lease;
  const answer = inputResponse(protocol.mcpReq.inputResponses, 'login');
  const action = answer.kind === 'elicit' ? answer.action : 'accept';
  if (action === 'decline') {
    logins.cancel(ref, provider);
    return failedResult('declined', call, options.defaultProvider);
  }
  const pending = logins.pending(ref, provider);
  if (!pending)
    return failedResult(logins.takeFailure(ref, provider) ?? 'expired', call, options.defaultProvider);
  if (action === 'cancel') return pendingResult(call, { ...pending, isNew: true }, defaultProvider);

  const leftMs = era === '2025' ? round.startedAtMs + CALL_2025_MS - clock.now() : ROUND_MS;
  const waitMs = Math.min(ROUND_MS, Math.max(leftMs, 0));
  const outcome = await settled(options, call, protocol, pending, waitMs, round.startedAtMs);
  if (outcome) return finished(options, call, outcome);
  const current = logins.pending(ref, provider) ?? pending;
  const goesOn = era === '2026' && round.round < MAX_ROUNDS && !current.needsCode;
  if (!goesOn) return pendingResult(call, { ...current, isNew: false }, defaultProvider);
  return inputRequired({ requestState: nextState(options, call, round, binding) });
}

/** Waits for the user, and tells a client that wants to know that it does. */
function settled(
  { logins, clock }: LoginToolOptions,
  { lease, provider }: LoginCall,
  protocol: ServerContext,
  pending: PendingLogin,
  waitMs: number,
  sinceMs: number,
): Promise<LoginOutcome | undefined> {
  if (waitMs === 0) return Promise.resolve(undefined);
  return withProgress(protocol, clock, { message: waitingFor(pending), sinceMs }, () =>
    logins.settled(lease.ref, provider, waitMs, protocol.mcpReq.signal),
  );
}

function nextState(
  options: LoginToolOptions,
  call: LoginCall,
  round: Round | undefined,
  binding: RequestStateBinding,
): string {
  const next: Round = {
    round: (round?.round ?? 0) + 1,
    startedAtMs: round?.startedAtMs ?? options.clock.now(),
    ...(call.handle && { handle: call.handle }),
  };
  return options.states.seal(JSON.stringify(next), binding);
}

async function confirmed(options: LoginToolOptions, call: LoginCall, code: string): Promise<CallToolResult> {
  const { logins } = options;
  const outcome = await logins.confirm(call.lease, call.provider, code);
  if (outcome) return finished(options, call, outcome);
  return wrongCodeResult(logins.pending(call.lease.ref, call.provider));
}

function finished(
  options: LoginToolOptions,
  call: LoginCall,
  outcome: LoginOutcome,
): Promise<CallToolResult> {
  if (outcome.kind === 'authenticated') return authenticated(options, call);
  options.logins.takeFailure(call.lease.ref, call.provider);
  return Promise.resolve(failedResult(outcome.failure, call, options.defaultProvider));
}

/** The end of a login. A pending handle becomes the session handle here, and nowhere else. */
async function authenticated(options: LoginToolOptions, call: LoginCall): Promise<CallToolResult> {
  const { registry, accounts } = options;
  const current = await registry.get(call.lease.ref);
  const isPending = current?.kind === 'pending-handle';
  const promoted = isPending ? await accounts.promote(current) : undefined;
  const record = isPending ? promoted?.record : current;
  const account = record?.accounts[call.provider];
  if (!account) return failedResult('signed_out', call, options.defaultProvider);
  return authenticatedResult(account, promoted?.id ?? call.handle);
}

/** Reads the state of an earlier round of this call. @throws SessionError `login_failed` */
function roundOf(
  options: LoginToolOptions,
  protocol: ServerContext,
  binding: RequestStateBinding,
): Round | undefined {
  const state = protocol.mcpReq.requestState();
  if (state === undefined) return undefined;
  if (typeof state !== 'string') throw new SessionError('login_failed', 'The requestState must be a string.');
  return roundSchema.parse(JSON.parse(options.states.open(state, binding)));
}

function sessionOf({ named }: RequestContext): string {
  return named.state === 'live' ? named.record.ref : '';
}

/** Clients of 2025 match the end of an elicitation by an id that the 2026 revision no longer has. */
function withElicitationId(request: InputRequest, elicitationId: string): InputRequest {
  if (request.method !== 'elicitation/create') return request;
  return { ...request, params: { ...request.params, elicitationId } as typeof request.params };
}
