import {
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { SessionError } from '../../../errors.js';
import { quotaKeyOf } from '../../../login/login-attempt.js';
import type { Logins } from '../../../login/logins.js';
import type { Clock } from '../../../time/clock.js';
import type { RequestStateBinding, RequestStates } from '../../request/request-state.js';
import type { ElicitationPolicy } from './elicitation-policy.js';
import type { LoginStep } from './login-answer.js';
import type { LoginCall } from './login-call.js';
import type { ClientQuestion } from './login-elicitation.js';
import { invitation } from './login-results.js';
import { finishedStep, isLoggedIn, PATIENCE_MS, settled } from './login-waiting.js';

export interface LoginRoundsOptions {
  readonly logins: Logins;
  readonly elicitation: ElicitationPolicy;
  readonly states: RequestStates;
  readonly clock: Clock;
}

/** Clients go ten rounds at most. */
const MAX_ROUNDS = 8;

/** A call that has come back for a login that is under way. */
export interface Round {
  /** Counts from 1. */
  readonly round: number;
  readonly startedAtMs: number;
  /** Where sessions have handles: that of the login, which is news to the client until it gets a result. */
  readonly handle?: string | undefined;
}

const roundSchema: z.ZodType<Round> = z.object({
  round: z.number(),
  startedAtMs: z.number(),
  handle: z.string().optional(),
});

/**
 * Calls of 2026-07-28 that wait for a login: the client is asked to open the link, comes back with what its user
 * said to that, and comes again as long as the user is at it.
 */
export class LoginRounds {
  readonly #options: LoginRoundsOptions;

  constructor(options: LoginRoundsOptions) {
    this.#options = options;
  }

  /** The round that a call has come back with. @throws SessionError `login_failed` */
  roundOf(protocol: ServerContext, binding: RequestStateBinding): Round | undefined {
    const state = protocol.mcpReq.requestState();
    if (state === undefined) return undefined;
    if (typeof state !== 'string')
      throw new SessionError('login_failed', 'The requestState must be a string.');
    return roundSchema.parse(JSON.parse(this.#options.states.open(state, binding)));
  }

  /** Asks the client to open the link. */
  ask(
    call: LoginCall,
    { client, pending }: ClientQuestion,
    binding: RequestStateBinding,
  ): InputRequiredResult {
    this.#options.elicitation.asked(client);
    const login = inputRequired.elicitUrl({ message: invitation(pending), url: pending.loginUrl });
    return inputRequired({
      inputRequests: { login },
      requestState: this.#nextState(call, undefined, binding),
    });
  }

  /** The user has been asked to open the link, and may be at it. */
  async goOn(
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
    // A decline counts even if a user has logged in to the session meanwhile.
    if (isLoggedIn(call))
      return action === 'decline' ? { kind: 'failed', failure: 'declined' } : { kind: 'finished' };
    const pending = logins.pending(ref, provider);
    if (!pending) return { kind: 'failed', failure: logins.takeFailure(ref, provider) ?? 'expired' };
    if (action !== 'accept') {
      elicitation.stopAsking(ref);
      return { kind: 'pending', login: { ...pending, isNew: true }, refusal: action };
    }

    const mayWait = logins.canWait(ref, provider);
    const waitMs = mayWait ? PATIENCE_MS : 0;
    const outcome = await settled(this.#options, call, protocol, pending, waitMs, round.startedAtMs);
    if (outcome) return finishedStep(logins, call, outcome);
    const current = logins.pending(ref, provider) ?? pending;
    const goesOn = mayWait && round.round < MAX_ROUNDS && !current.needsCode;
    if (!goesOn) return { kind: 'pending', login: { ...current, isNew: false } };
    return inputRequired({ requestState: this.#nextState(call, round, binding) });
  }

  #nextState(call: LoginCall, round: Round | undefined, binding: RequestStateBinding): string {
    const next: Round = {
      round: (round?.round ?? 0) + 1,
      startedAtMs: round?.startedAtMs ?? this.#options.clock.now(),
      ...(call.handle && { handle: call.handle }),
    };
    const quotaKey = { session: call.snapshot.ref, client: quotaKeyOf(call.from) };
    return this.#options.states.seal(JSON.stringify(next), binding, quotaKey);
  }
}
