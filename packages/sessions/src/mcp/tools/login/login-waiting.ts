import type { ServerContext } from '@modelcontextprotocol/server';
import type { LoginOutcome } from '../../../login/login-attempt.js';
import type { Logins } from '../../../login/logins.js';
import type { PendingLogin } from '../../../login/pending-login.js';
import type { Clock } from '../../../time/clock.js';
import { withProgress } from '../../request/progress.js';
import type { LoginStep } from './login-answer.js';
import type { LoginCall } from './login-call.js';
import { waitingFor } from './login-results.js';

/** How long a call waits for its user at a time: clients give up after 60 seconds. */
export const PATIENCE_MS = 25_000;

/** Whether somebody is logged in where a call wants to. */
export function isLoggedIn({ record, provider }: LoginCall): boolean {
  return record.accounts[provider]?.state === 'authenticated';
}

/** Where a login that is over has got a call. Of a failure, its client has heard then. */
export function finishedStep(
  logins: Logins,
  { snapshot, provider }: LoginCall,
  outcome: LoginOutcome,
): LoginStep {
  if (outcome.kind === 'authenticated') return { kind: 'finished' };
  logins.takeFailure(snapshot.ref, provider);
  return { kind: 'failed', failure: outcome.failure };
}

export interface LoginWaitingOptions {
  readonly logins: Logins;
  readonly clock: Clock;
}

/** Waits for the user, and tells a client that wants to know that it does. */
export function settled(
  { logins, clock }: LoginWaitingOptions,
  { snapshot, provider }: LoginCall,
  protocol: ServerContext,
  pending: PendingLogin,
  waitMs: number,
  sinceMs: number,
): Promise<LoginOutcome | undefined> {
  if (waitMs === 0) return Promise.resolve(undefined);
  return withProgress(protocol, clock, { message: waitingFor(pending), sinceMs }, () =>
    logins.waitUntilSettled(snapshot.ref, provider, waitMs, protocol.mcpReq.signal),
  );
}
