import {
  type ElicitResult,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { SessionError } from '../../../errors.js';
import { type LoginOutcome, quotaKeyOf } from '../../../login/login-attempt.js';
import type { Logins } from '../../../login/logins.js';
import type { PendingLogin } from '../../../login/pending-login.js';
import { accountHealth } from '../../../session/account-health.js';
import type { AccountRecord } from '../../../session/session-record.js';
import type { Clock } from '../../../time/clock.js';
import { type RandomSource, randomToken } from '../../../vault/random.js';
import { withRequestProperties } from '../../request/call-context.js';
import { withProgress } from '../../request/progress.js';
import type { RequestStateBinding, RequestStates } from '../../request/request-state.js';
import type { AskableClient, ElicitationPolicy } from './elicitation-policy.js';
import type { LoginCall, LoginStep } from './login-call.js';
import { invitation, waitingFor } from './login-texts.js';

export interface LoginElicitationOptions {
  readonly logins: Logins;
  readonly elicitation: ElicitationPolicy;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** How long a call waits for the user. Clients give up after 60 seconds; the model must have the link by then. */
const CALL_MS = 45_000;

/** A login whose link a client is asked to open. */
export interface LinkQuestion {
  readonly client: AskableClient;
  readonly pending: PendingLogin;
}

/**
 * Asks a 2025 client to open the link: sends it an elicitation request within the call. The elicitation of the SDK
 * waits for ten minutes; this one ends before the client gives up.
 */
export async function elicitLogin(
  options: LoginElicitationOptions,
  call: LoginCall,
  protocol: ServerContext,
  { client, pending }: LinkQuestion,
): Promise<LoginStep> {
  const { logins, elicitation, clock } = options;
  const { snapshot, provider } = call;
  const over = new AbortController();
  const waiting = withRequestProperties(protocol, {
    signal: AbortSignal.any([protocol.mcpReq.signal, over.signal]),
  });
  let isAccepted = false;
  elicitation.asked(client);
  const answered = ask(options, waiting, pending).then((action) => {
    if (action !== 'accept') return action;
    isAccepted = true;
    elicitation.answered(client);
    // The user has agreed to open the link, but has not logged in yet.
    return new Promise<never>(() => undefined);
  });
  try {
    const outcome = await Promise.race([
      answered,
      waitForLogin(options, call, waiting, { pending, forMs: CALL_MS, sinceMs: clock.now() }),
    ]);
    if (typeof outcome === 'object') return finishedStep(logins, call, outcome);
    const current = await logins.pending(snapshot.ref, provider);
    if (!isAccepted) elicitation.stopAsking(snapshot.ref);
    if (outcome === undefined) {
      return { kind: 'pending', login: { ...(current ?? pending), isNew: !isAccepted } };
    }
    return current
      ? { kind: 'pending', login: { ...current, isNew: true }, refusal: outcome }
      : ((await logins.takeFailure(snapshot, provider)) ?? { kind: 'failed', failure: 'declined' });
  } finally {
    // Cancels the elicitation if it is unanswered.
    over.abort();
  }
}

/** The answer of the user. A client that cannot ask counts as one that cancelled. */
async function ask(
  { random }: LoginElicitationOptions,
  { mcpReq }: ServerContext,
  pending: PendingLogin,
): Promise<ElicitResult['action']> {
  const params = {
    mode: 'url',
    message: invitation(pending),
    url: pending.loginUrl,
    elicitationId: randomToken(random),
  };
  const request = { method: 'elicitation/create', params } as const;
  try {
    const { action } = await mcpReq.send(request, { signal: mcpReq.signal, timeout: 2 * CALL_MS });
    return action;
  } catch {
    return 'cancel';
  }
}

export interface LoginRoundsOptions {
  readonly logins: Logins;
  readonly elicitation: ElicitationPolicy;
  readonly states: RequestStates;
  readonly clock: Clock;
}

/** Some clients allow ten rounds. */
const MAX_ROUNDS = 8;

/** A later round of a call that waits for a login. */
export interface Round {
  /** Counts from 1. */
  readonly round: number;
  readonly startedAtMs: number;
  /** The epoch of the session in the first round. */
  readonly epoch: number;
  /** The pending handle, if sessions are named by handles. The client gets it with the result. */
  readonly handle?: string | undefined;
}

const roundSchema: z.ZodType<Round> = z.object({
  round: z.number(),
  startedAtMs: z.number(),
  epoch: z.number(),
  handle: z.string().optional(),
});

/**
 * Calls of 2026-07-28 that wait for a login in several rounds: the client is asked to open the link, returns the answer
 * of its user, and repeats the call until the login is completed.
 */
export class LoginRounds {
  readonly #options: LoginRoundsOptions;

  constructor(options: LoginRoundsOptions) {
    this.#options = options;
  }

  /** The round of a call, from its request state. @throws SessionError `login_failed`, `store_unavailable` */
  async roundOf(protocol: ServerContext, binding: RequestStateBinding): Promise<Round | undefined> {
    const state = protocol.mcpReq.requestState();
    if (state === undefined) return undefined;
    if (typeof state !== 'string')
      throw new SessionError('login_failed', 'The requestState must be a string.');
    return roundSchema.parse(JSON.parse(await this.#options.states.open(state, binding)));
  }

  /** Asks the client to open the link. */
  async ask(
    call: LoginCall,
    { client, pending }: LinkQuestion,
    binding: RequestStateBinding,
  ): Promise<InputRequiredResult> {
    this.#options.elicitation.asked(client);
    const login = inputRequired.elicitUrl({ message: invitation(pending), url: pending.loginUrl });
    return inputRequired({
      inputRequests: { login },
      requestState: await this.#nextState(call, undefined, binding),
    });
  }

  /** Continues after the client was asked to open the link. */
  async resume(
    call: LoginCall,
    protocol: ServerContext,
    round: Round,
    binding: RequestStateBinding,
  ): Promise<LoginStep | InputRequiredResult> {
    const { logins, elicitation } = this.#options;
    const { provider } = call;
    const { ref } = call.snapshot;
    const answer = inputResponse(protocol.mcpReq.inputResponses, 'login');
    const action = answer.kind === 'elicit' ? answer.action : 'accept';
    const pending = await logins.pending(ref, provider);
    // The login before it may be valid, also without what an API had demanded.
    const fault = pending ? undefined : await logins.takeFailure(call.snapshot, provider);
    if (fault) return fault;
    // A decline counts even if a user has logged in meanwhile.
    if (!pending?.isRenewal && isLoggedIn(call, this.#options.clock.now()))
      return action === 'decline' ? { kind: 'failed', failure: 'declined' } : { kind: 'finished' };
    if (!pending) return { kind: 'failed', failure: 'expired' };
    if (action !== 'accept') {
      elicitation.stopAsking(ref);
      return { kind: 'pending', login: { ...pending, isNew: true }, refusal: action };
    }

    const mayWait = await logins.canWait(ref, provider);
    const wait = { pending, forMs: mayWait ? MAX_LOGIN_WAIT_MS : 0, sinceMs: round.startedAtMs };
    const outcome = await waitForLogin(this.#options, call, protocol, wait);
    if (outcome) return finishedStep(logins, call, outcome);
    const current = (await logins.pending(ref, provider)) ?? pending;
    const goesOn = mayWait && round.round < MAX_ROUNDS && !current.needsCode;
    if (!goesOn) return { kind: 'pending', login: { ...current, isNew: false } };
    return inputRequired({ requestState: await this.#nextState(call, round, binding) });
  }

  #nextState(call: LoginCall, round: Round | undefined, binding: RequestStateBinding): Promise<string> {
    const next: Round = {
      round: (round?.round ?? 0) + 1,
      startedAtMs: round?.startedAtMs ?? this.#options.clock.now(),
      epoch: round?.epoch ?? call.snapshot.epoch,
      ...(call.handle && { handle: call.handle }),
    };
    const quotaKey = { session: call.snapshot.ref, client: quotaKeyOf(call.from) };
    return this.#options.states.seal(JSON.stringify(next), binding, quotaKey);
  }
}

/** How long one call waits for its user, in milliseconds. Clients give up after 60 seconds. */
export const MAX_LOGIN_WAIT_MS = 25_000;

type LoginTarget = Pick<LoginCall, 'record' | 'provider' | 'scopes'>;

/**
 * Whether a login is unnecessary: a user is logged in at the provider, by a login that requested these scopes or has
 * them, its tokens can be used or renewed, and no API demands more of it.
 */
export function isLoggedIn(target: LoginTarget, nowMs: number): boolean {
  const account = usableAccount(target);
  return account !== undefined && !account.stepUp && accountHealth(account, nowMs) !== 'expired';
}

/**
 * Whether a call that requires a login can run. During an outage it can: its error offers to wait, and to log in again.
 * What one API demands does not stop the calls to others.
 */
export function isUsable(target: LoginTarget, nowMs: number): boolean {
  const account = usableAccount(target);
  if (!account) return false;
  return account.failureReason === 'provider_unavailable' || accountHealth(account, nowMs) !== 'expired';
}

function usableAccount({ record, provider, scopes }: LoginTarget): AccountRecord | undefined {
  const account = record.accounts[provider];
  if (account?.state !== 'authenticated') return undefined;
  // A scope that was refused would be refused again.
  const settled = [...account.scopes, ...(account.refusedScopes ?? [])];
  return scopes.every((scope) => settled.includes(scope)) ? account : undefined;
}

/** The step that a completed login leads to. A failure is reported once. */
export async function finishedStep(
  logins: Logins,
  { snapshot, provider }: LoginCall,
  outcome: LoginOutcome,
): Promise<LoginStep> {
  if (outcome.kind === 'authenticated') return { kind: 'finished' };
  await logins.takeFailure(snapshot, provider);
  return outcome;
}

export interface LoginWait {
  readonly pending: PendingLogin;
  /** The maximum time to wait, in milliseconds; 0: do not wait. */
  readonly forMs: number;
  /** When the call, or the first round of it, began to wait. Progress counts from then. */
  readonly sinceMs: number;
}

/**
 * Waits until the login is completed, and sends progress to a client that asked for it.
 * @returns `undefined` if the login is still pending
 */
export async function waitForLogin(
  { logins, clock }: Pick<LoginElicitationOptions, 'logins' | 'clock'>,
  { snapshot, provider }: LoginCall,
  protocol: ServerContext,
  { pending, forMs, sinceMs }: LoginWait,
): Promise<LoginOutcome | undefined> {
  if (forMs === 0) return undefined;
  return withProgress(protocol, clock, { message: waitingFor(pending), sinceMs }, () =>
    logins.waitUntilSettled(snapshot.ref, provider, forMs, protocol.mcpReq.signal),
  );
}
