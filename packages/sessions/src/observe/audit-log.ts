import { omitUndefined } from '../omit-undefined.js';
import { describeFailure } from '../session/provider-failures.js';
import type { LoginFailure, SessionEvent, SessionListener } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { LogThrottle } from './log-throttle.js';
import type { Logger } from './logger.js';

/** The faults of tokens that expire normally. All others show a wrong configuration or an attack. */
const ORDINARY_FAULTS: ReadonlySet<string> = new Set(['expired', 'not_active']);

/** The failures of logins that users or their clients want. */
const BY_USERS: ReadonlySet<LoginFailure> = new Set(['declined', 'canceled', 'signed_out']);

export interface AuditLogOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** The name of this process in its cluster, for every line. Absent without a cluster. */
  readonly node?: string | undefined;
}

/**
 * Writes events as JSON lines. Only the fields that are listed below are written, so no secret can get into the log.
 * `session` and `logId` are those of the event. Refused requests are counted, so that a client cannot fill the log by
 * repeating one; requests for another principal's connection are counted for each session.
 */
export function auditLog({ logger, clock, node }: AuditLogOptions): SessionListener {
  const write = (event: SessionEvent, times?: number) => {
    const ids = 'logId' in event ? { session: event.session, logId: event.logId } : {};
    const by = node === undefined ? {} : { node };
    const entry = {
      event: event.type,
      ...ids,
      ...entryOf(event),
      ...(times !== undefined && { times }),
      ...by,
    };
    logger[levelOf(event)](entry, event.type === 'provider.failed' ? describeFailure(event) : event.type);
  };
  const refusals = new LogThrottle(clock, write);
  return (event) => {
    const kind = refusalOf(event);
    if (kind === undefined) write(event);
    else refusals.add(kind, event);
  };
}

/** The key under which refusals are counted together; `undefined` for events that are always written. */
function refusalOf(event: SessionEvent): string | undefined {
  switch (event.type) {
    case 'session.refused':
    case 'login.refused':
    case 'token.refused':
      return `${event.type} ${event.reason}`;
    case 'logout.refused':
      return `${event.type} ${event.provider} ${event.reason}`;
    case 'provider.failed':
      return `${event.type} ${event.provider} ${event.step} ${event.reason}`;
    case 'session.not_owned':
      return `${event.type} ${event.logId}`;
    default:
      return undefined;
  }
}

function entryOf(event: SessionEvent): Record<string, string | number> {
  switch (event.type) {
    case 'session.started':
      return { kind: event.kind };
    case 'session.expires_soon':
    case 'session.not_owned':
      return {};
    case 'session.signed_out':
    case 'session.ended':
    case 'session.refused':
    case 'login.refused':
      return { reason: event.reason };
    case 'token.refused':
      return { reason: event.reason, fault: event.fault };
    case 'login.started':
      return { provider: event.provider, flow: event.flow, check: event.check };
    case 'account.removed':
    case 'account.expires_soon':
      return { provider: event.provider };
    case 'login.failed': {
      const { provider, failure, reason } = event;
      return { provider, failure, ...(reason && { reason }) };
    }
    case 'logout.refused':
      return { provider: event.provider, reason: event.reason };
    case 'provider.failed':
      return entryOfFailure(event);
    case 'account.authenticated':
    case 'account.moved':
    case 'account.refreshed':
      return { provider: event.provider, generation: event.generation };
    case 'account.refresh_failed': {
      const { provider, failureReason, oauthError, reason } = event;
      return { provider, failureReason, ...(oauthError && { oauthError }), ...(reason && { reason }) };
    }
    case 'account.reauthentication_required': {
      const { provider, failureReason, reason } = event;
      return { provider, failureReason, ...(reason && { reason }) };
    }
    case 'account.nonconforming_answer':
      return { provider: event.provider, nonconformance: event.nonconformance };
    case 'account.revoked':
      return { provider: event.provider, revocation: event.revocation };
  }
}

type ProviderFailed = Extract<SessionEvent, { type: 'provider.failed' }>;

/** The fields of a provider's failure that are set. */
function entryOfFailure(event: ProviderFailed): Record<string, string | number> {
  const { provider, step, reason, outcome, attempts, setting } = event;
  const { endpoint, status, code, oauthError, oauthDescription, claim, expected, received } = event;
  const answers = attempts?.map((attempt) => `${attempt.endpoint}: ${attempt.answered}`).join('; ');
  return omitUndefined({
    provider,
    step,
    reason,
    outcome,
    endpoint,
    status,
    code,
    oauthError,
    oauthDescription,
    claim,
    expected,
    received,
    attempts: answers,
    setting,
  });
}

function levelOf(event: SessionEvent): 'info' | 'warn' {
  switch (event.type) {
    case 'login.failed':
      return BY_USERS.has(event.failure) ? 'info' : 'warn';
    case 'session.signed_out':
    case 'session.ended':
      return event.reason === 'account_cap' ? 'warn' : 'info';
    case 'token.refused':
      return ORDINARY_FAULTS.has(event.reason) ? 'info' : 'warn';
    case 'provider.failed':
      return event.reason === 'authorization_denied' ? 'info' : 'warn';
    case 'session.refused':
    case 'login.refused':
    case 'logout.refused':
    case 'session.not_owned':
    case 'account.refresh_failed':
    case 'account.reauthentication_required':
    case 'account.nonconforming_answer':
      return 'warn';
    default:
      return 'info';
  }
}
