import type { SessionRef } from '../session/ids.js';
import type { SessionEvent, SessionListener } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { LogThrottle } from './log-throttle.js';
import type { Logger } from './logger.js';

/** The faults of tokens that expire normally. All others show a wrong configuration or an attack. */
const ORDINARY_FAULTS: ReadonlySet<string> = new Set(['expired', 'not_active']);

export interface AuditLogOptions {
  readonly logger: Logger;
  /** What a session is called in logs. */
  readonly logIdOf: (ref: SessionRef) => string;
  readonly clock: Clock;
}

/**
 * Writes what happens to sessions as JSON lines. It takes from an event only fields that are named here,
 * so nothing secret can get in; a session appears under an id that exists only in logs. Refusals are counted:
 * whoever is refused must not fill the log by asking again. So are requests of those whose session it is not, for
 * each session.
 */
export function auditLog({ logger, logIdOf, clock }: AuditLogOptions): SessionListener {
  const write = (event: SessionEvent, times?: number) => {
    const session = 'ref' in event ? { session: logIdOf(event.ref) } : {};
    const entry = { event: event.type, ...session, ...entryOf(event), ...(times !== undefined && { times }) };
    logger[levelOf(event)](entry, event.type);
  };
  const refusals = new LogThrottle(clock, write);
  return (event) => {
    const kind = refusalOf(event);
    if (kind === undefined) write(event);
    else refusals.add(kind, event);
  };
}

/** What is counted together; `undefined` for what is written each time. */
function refusalOf(event: SessionEvent): string | undefined {
  switch (event.type) {
    case 'session.refused':
    case 'login.refused':
    case 'token.refused':
      return `${event.type} ${event.reason}`;
    case 'session.not_owned':
      return `${event.type} ${event.ref}`;
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
    case 'login.failed':
      return { provider: event.provider, failure: event.failure };
    case 'account.authenticated':
    case 'account.refreshed':
    case 'account.moved':
      return { provider: event.provider, generation: event.generation };
    case 'account.refresh_failed':
    case 'account.reauthentication_required':
      return { provider: event.provider, failureReason: event.failureReason };
    case 'account.odd_answer':
      return { provider: event.provider, nonconformance: event.nonconformance };
    case 'account.revoked':
      return { provider: event.provider, revocation: event.revocation };
  }
}

function levelOf(event: SessionEvent): 'info' | 'warn' {
  switch (event.type) {
    case 'login.failed':
      return event.failure === 'declined' || event.failure === 'signed_out' ? 'info' : 'warn';
    case 'session.signed_out':
    case 'session.ended':
      return event.reason === 'account_cap' ? 'warn' : 'info';
    case 'token.refused':
      return ORDINARY_FAULTS.has(event.reason) ? 'info' : 'warn';
    case 'session.refused':
    case 'login.refused':
    case 'session.not_owned':
    case 'account.refresh_failed':
    case 'account.reauthentication_required':
    case 'account.odd_answer':
      return 'warn';
    default:
      return 'info';
  }
}
