import type { ElicitResult, ServerContext } from '@modelcontextprotocol/server';
import type { Logins } from '../../../login/logins.js';
import type { PendingLogin } from '../../../login/pending-login.js';
import type { Clock } from '../../../time/clock.js';
import { type RandomSource, randomToken } from '../../../vault/random.js';
import { withRequestProperties } from '../../request/call-context.js';
import type { AskableClient, ElicitationPolicy } from './elicitation-policy.js';
import type { LoginStep } from './login-answer.js';
import type { LoginCall } from './login-call.js';
import { invitation } from './login-results.js';
import { finishedStep, settled } from './login-waiting.js';

export interface LoginElicitationOptions {
  readonly logins: Logins;
  readonly elicitation: ElicitationPolicy;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** Clients give a call up after 60 seconds: by then the model must have the link. */
const CALL_MS = 45_000;

/** A login whose link a client is asked to open. */
export interface ClientQuestion {
  readonly client: AskableClient;
  readonly pending: PendingLogin;
}

/**
 * Asks a 2025 client to open the link, within the call: a request of ours, while it waits for its answer. Unlike
 * the SDK's way to do so, which waits ten minutes for the user, this one is over before the client's patience is.
 */
export async function elicitLogin(
  options: LoginElicitationOptions,
  call: LoginCall,
  protocol: ServerContext,
  { client, pending }: ClientQuestion,
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
    // That the user agreed to open the link does not say that they have logged in.
    return new Promise<never>(() => undefined);
  });
  try {
    const outcome = await Promise.race([
      answered,
      settled(options, call, waiting, pending, CALL_MS, clock.now()),
    ]);
    if (typeof outcome === 'object') return finishedStep(logins, call, outcome);
    const current = logins.pending(snapshot.ref, provider);
    if (!isAccepted) elicitation.stopAsking(snapshot.ref);
    if (outcome === undefined) {
      return { kind: 'pending', login: { ...(current ?? pending), isNew: !isAccepted } };
    }
    return current
      ? { kind: 'pending', login: { ...current, isNew: true }, refusal: outcome }
      : { kind: 'failed', failure: logins.takeFailure(snapshot.ref, provider) ?? 'declined' };
  } finally {
    // Takes the question back if it still stands.
    over.abort();
  }
}

/** What the user says to the question; a client that cannot ask it has as good as dismissed it. */
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
