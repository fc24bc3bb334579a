import {
  type InputRequiredResult,
  isInputRequiredResult,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import type { z } from 'zod';
import type { Accounts } from '../../../account/accounts.js';
import { hasValidLogin } from '../../../account/refused-login.js';
import { SessionError } from '../../../errors.js';
import type { OpenBrowser } from '../../../login/browser/open-browser.js';
import type { StartLoginOptions } from '../../../login/login-starts.js';
import type { Logins } from '../../../login/logins.js';
import type { StartedLogin } from '../../../login/pending-login.js';
import { accountHealth } from '../../../session/account-health.js';
import type { SessionRegistry } from '../../../session/session-registry.js';
import type { Clock } from '../../../time/clock.js';
import type { RandomSource } from '../../../vault/random.js';
import { clientInfoOf, clientNameOf } from '../../request/client-capabilities.js';
import type { RequestContext, RequestContexts } from '../../request/context.js';
import type { RequestStateBinding } from '../../request/request-state.js';
import {
  elicitLogin,
  finishedStep,
  isLoggedIn,
  type LoginRounds,
  MAX_LOGIN_WAIT_MS,
  type Round,
  waitForLogin,
} from './elicitation.js';
import type { AskableClient, ElicitationPolicy } from './elicitation-policy.js';
import { type LoginAnswer, type LoginCall, type LoginStep, loginCallOf, originOf } from './login-call.js';
import { type LoginArguments, loginDescription } from './login-definition.js';
import { loginKept, loginResult } from './login-texts.js';

export interface LoginToolOptions {
  readonly contexts: RequestContexts;
  readonly registry: SessionRegistry;
  readonly accounts: Accounts;
  readonly logins: Logins;
  readonly rounds: LoginRounds;
  readonly elicitation: ElicitationPolicy;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly defaultProvider: string;
  /** From {@link loginInputSchema}; shared by all server objects. */
  readonly inputSchema: z.ZodType<LoginArguments>;
  /** From {@link loginOutputSchema}; shared by all server objects. */
  readonly outputSchema: z.ZodType;
  /** Whether users may log in with a code on the page of the provider (device flow). */
  readonly hasDeviceFlow: boolean;
  /** Whether sessions are named by handles, which `login` returns. */
  readonly hasHandles: boolean;
  /** Opens the link for the user if the client does not. */
  readonly openBrowser?: OpenBrowser | undefined;
}

/** Registers the tool `login`. It starts a login, continues it, or completes it. It may be called again at any time. */
export function registerLoginTool(server: McpServer, options: LoginToolOptions): void {
  server.registerTool(
    'login',
    {
      title: 'Log in',
      description: loginDescription(options.hasDeviceFlow),
      inputSchema: options.inputSchema,
      outputSchema: options.outputSchema,
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    },
    async (args, protocol) => {
      const { provider, code, flow, link, scopes, renew, restart } = args;
      const called = {
        tool: 'login',
        arguments: JSON.stringify([provider, code, flow, link, scopes, renew, restart]),
      };
      const { call, answer } = await login(options, { server, args, protocol, called });
      return isInputRequiredResult(answer) ? answer : loginResult(call, answer, options.defaultProvider);
    },
  );
}

/** A call, and how far its login has come. */
export interface LoginProgress {
  readonly call: LoginCall;
  /** The state of the login, or the input that the call asks its client for. */
  readonly answer: LoginAnswer | InputRequiredResult;
}

/** A call that needs a login. */
export interface LoginRequest {
  readonly server: McpServer;
  readonly args: LoginArguments;
  readonly protocol: ServerContext;
  /** The tool and its arguments. The request state of a round is bound to them. */
  readonly called: Omit<RequestStateBinding, 'session'>;
}

/** Starts or continues a login. */
export async function login(options: LoginToolOptions, request: LoginRequest): Promise<LoginProgress> {
  const { contexts, registry, logins, rounds, elicitation, defaultProvider } = options;
  const { server, args, protocol, called } = request;
  const context = contexts.get();
  const client = elicitation.clientOf(server, protocol, context);
  const binding = { ...called, session: sessionOf(context) };
  if (protocol.mcpReq.inputResponses !== undefined) elicitation.answered(client);
  const round = await rounds.roundOf(protocol, binding);
  const { provider = defaultProvider, scopes = [], renew = false } = args;
  logins.assertProvider(provider);
  assertRequired(scopes, provider, contexts.requiredScopesAt(provider));
  // Checked before a pending handle is created for a login that cannot start.
  if (context.resolved.state === 'none' && !round) {
    await logins.prepare(provider);
    await logins.assertStartAllowed(originOf(context));
  }
  const found = await loginCallOf(
    registry,
    context,
    { provider, scopes, renew },
    {
      handleOfRound: round?.handle,
      client: clientInfoOf(server, protocol),
    },
  );
  // A later round, or a code, is for the login that has been started.
  const isRestart = args.restart === true && !round && args.code === undefined;
  const call = isRestart ? await restarted(options, found) : found;
  const step = await nextStep(options, { ...request, call, client, round, binding }).catch(
    async (error: unknown) => {
      // No client gets the handle.
      if (call.isNew) await registry.end(call.snapshot.ref, 'login_expired');
      else if (isOfProvider(error) && (await keepsLogin(options, call))) throw withLoginKept(error, call);
      throw error;
    },
  );
  if (!isInputRequiredResult(step) && step.kind === 'failed')
    return { call, answer: { ...step, keepsLogin: await keepsLogin(options, call) } };
  if (isInputRequiredResult(step) || step.kind !== 'finished') return { call, answer: step };
  return { call, answer: await authenticated(options, call, round?.epoch ?? epochOf(context)) };
}

/** The call after its pending login was canceled. */
async function restarted({ registry, logins }: LoginToolOptions, call: LoginCall): Promise<LoginCall> {
  await logins.restart(call.snapshot, call.provider);
  return { ...call, isRestart: true, record: (await registry.get(call.snapshot.ref)) ?? call.record };
}

/** Whether the session has a valid login, whatever became of the one of this call. */
async function keepsLogin(
  { registry, clock }: LoginToolOptions,
  { snapshot, provider }: LoginCall,
): Promise<boolean> {
  const record = await registry.get(snapshot.ref);
  return record?.epoch === snapshot.epoch && hasValidLogin(record, provider, clock.now());
}

function isOfProvider(error: unknown): error is SessionError {
  return (
    error instanceof SessionError &&
    (error.code === 'provider_refused' || error.code === 'provider_unavailable')
  );
}

/** The error of a login that could not start, although the one before it is valid. */
function withLoginKept(cause: SessionError, call: LoginCall): SessionError {
  const { code, message, retryAfterSeconds } = cause;
  return new SessionError(code, `${message} ${loginKept(call)}`, { cause, retryAfterSeconds });
}

/** One round of a call and its login. */
interface ResolvedLoginRequest extends LoginRequest {
  readonly call: LoginCall;
  readonly client: AskableClient;
  readonly round: Round | undefined;
  readonly binding: RequestStateBinding;
}

async function nextStep(
  options: LoginToolOptions,
  request: ResolvedLoginRequest,
): Promise<LoginStep | InputRequiredResult> {
  const { logins, rounds, elicitation } = options;
  const { server, args, protocol, call, client, round, binding } = request;
  const { snapshot, provider } = call;
  if (args.code !== undefined) return confirmed(logins, call, args.code);
  if (round) return rounds.resume(call, protocol, round, binding);
  const hasLogin = isLoggedIn(call, options.clock.now());
  const fault = await logins.takeFailure(snapshot, provider);
  const isRenewing = call.renew || (await logins.pending(snapshot.ref, provider))?.isRenewal === true;
  const isFinished = hasLogin && !isRenewing;
  // In place of a link that has expired unused, a new one says enough.
  if (fault && (fault.failure !== 'expired' || isFinished)) return fault;
  if (isFinished) return { kind: 'finished' };
  const source = { clientName: clientNameOf(server, protocol), ...call.from };
  const requested = requestOf(call, options.contexts.requiredScopesAt(provider));
  const started = await logins.start(snapshot, { provider, source, flow: args.flow, ...requested });
  if (!started.needsCode && !args.link && elicitation.mayAsk(client)) {
    const question = { client, pending: started };
    return call.era === '2025'
      ? elicitLogin(options, call, protocol, question)
      : rounds.ask(call, question, binding);
  }
  // The client is not asked after the model has the link.
  const isNews = client.isAskable && elicitation.stopAsking(snapshot.ref);
  return shownByModel(options, call, protocol, { ...started, isNew: started.isNew || isNews });
}

/** @throws SessionError `login_failed` if no handler requires one of the scopes at the provider */
function assertRequired(scopes: readonly string[], provider: string, required: ReadonlySet<string>): void {
  const others = scopes.filter((scope) => !required.has(scope));
  if (others.length === 0) return;
  const allowed =
    required.size > 0
      ? `Only ${JSON.stringify([...required])} can be requested there.`
      : 'Leave `scopes` out.';
  throw new SessionError(
    'login_failed',
    `No tool requires the scopes ${JSON.stringify(others)} at "${provider}". ${allowed}`,
  );
}

/**
 * What a login requests besides the configured scopes. A login over a valid one keeps the scopes that other tools have
 * required, and one that adds what an API demands, or renews, all that were granted. An account whose login has ended
 * may be another user's.
 */
function requestOf(
  { record, provider, scopes, renew }: LoginCall,
  required: ReadonlySet<string>,
): Pick<StartLoginOptions, 'scopes' | 'claims' | 'prompt'> {
  const account = record.accounts[provider];
  if (account?.state !== 'authenticated') return { scopes };
  const { scopes: granted, refusedScopes = [], stepUp, refusal } = account;
  // The provider could refuse the same again.
  if (refusal && !stepUp) {
    return { scopes, prompt: renew ? (refusal === 'declined' ? 'login' : 'any') : undefined };
  }
  const kept = renew || stepUp ? granted : granted.filter((scope) => required.has(scope));
  return {
    scopes: [...kept, ...(renew ? refusedScopes : []), ...(stepUp?.scopes ?? []), ...scopes],
    claims: stepUp?.claims,
    prompt: renew ? (refusedScopes.length > 0 ? 'consent' : 'login') : undefined,
  };
}

/** The model shows the link. A repeated call returns the state of the login. */
async function shownByModel(
  options: LoginToolOptions,
  call: LoginCall,
  protocol: ServerContext,
  started: StartedLogin,
): Promise<LoginStep> {
  if (started.isNew) {
    if (started.userCode === undefined) void options.openBrowser?.(started.loginUrl);
    return { kind: 'pending', login: started };
  }
  // The user may have approved already: the provider is polled only every few seconds.
  const { clock, logins } = options;
  const forMs = Math.min(started.detectionDelayMs, MAX_LOGIN_WAIT_MS);
  const outcome = await waitForLogin(options, call, protocol, {
    pending: started,
    forMs,
    sinceMs: clock.now(),
  });
  return outcome ? finishedStep(logins, call, outcome) : { kind: 'pending', login: started };
}

async function confirmed(logins: Logins, call: LoginCall, code: string): Promise<LoginStep> {
  const { snapshot, provider } = call;
  const outcome = await logins.confirm(snapshot, provider, code);
  if (outcome) return finishedStep(logins, call, outcome);
  return { kind: 'wrong_code', login: await logins.pending(snapshot.ref, provider) };
}

/**
 * Completes a login. Only this replaces a pending handle with the session handle.
 * @param epoch the epoch of the session when the call was made; absent if the call has started the session
 */
async function authenticated(
  { registry, accounts, elicitation, clock }: LoginToolOptions,
  call: LoginCall,
  epoch: number | undefined,
): Promise<LoginAnswer> {
  const current = await registry.get(call.snapshot.ref);
  const isPending = current?.kind === 'pending-handle';
  const promoted = isPending ? await accounts.promote(current) : undefined;
  const record = isPending ? promoted?.record : current;
  if (promoted) elicitation.moved(call.snapshot.ref, promoted.record.ref);
  const account = record?.accounts[call.provider];
  if (!account) return { kind: 'failed', failure: 'signed_out' };
  const wasSignedOut = epoch !== undefined && current?.epoch !== epoch;
  const isAtRisk = accountHealth(account, clock.now()) === 'at_risk';
  const handle = promoted?.id ?? call.handle;
  return { kind: 'authenticated', record, account, isAtRisk, handle, wasSignedOut };
}

function sessionOf({ resolved }: RequestContext): string {
  return resolved.state === 'live' ? resolved.record.ref : '';
}

function epochOf({ resolved }: RequestContext): number | undefined {
  return resolved.state === 'live' ? resolved.record.epoch : undefined;
}
