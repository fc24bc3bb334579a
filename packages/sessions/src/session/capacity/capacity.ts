import { SessionError, tooManyRequests } from '../../errors.js';
import type { InternalEvent } from '../session-events.js';
import type { SessionRecord } from '../session-record.js';
import type { Insertion, InsertLimits } from '../session-store.js';

/** The limits of new sessions. */
export interface SessionLimits {
  /** The maximum number of sessions of this node. */
  readonly maxSessions: number;
  /** The maximum number of sessions without a login. */
  readonly maxAnonymousSessions: number;
  /** The maximum number of sessions of one address without a login so far. */
  readonly anonymousSessionsPerAddress: number;
  /** The maximum number of connections of one user through one client. */
  readonly connectionsPerUser: number;
}

/** Why a session was refused: the reason in the event, and the error for its client. */
interface Refusal {
  readonly reason: Extract<InternalEvent, { type: 'session.refused' }>['reason'];
  readonly error: SessionError;
}

type Refused = Extract<Insertion, { kind: 'full' | 'share_full' }>;

const RETRY_WHEN_FULL_SECONDS = 60;
/**
 * The time without a request after which a session without a login so far may be evicted for another one of its
 * address.
 */
const MIN_IDLE_MS = 10 * 60_000;

/** The limits that apply to a new session. */
export function insertLimitsOf(record: SessionRecord, limits: SessionLimits): InsertLimits {
  const { maxSessions, maxAnonymousSessions: maxAnonymous } = limits;
  return { maxSessions, maxAnonymous, share: shareLimitOf(record, limits) };
}

/** What the client of a refused session is told. */
export function refusalOf({ kind }: SessionRecord, refused: Refused, limits: SessionLimits): Refusal {
  if (refused.kind === 'full') {
    const message = 'This server has the maximum number of sessions. Try again in a minute.';
    const error = new SessionError('limit_reached', message, { retryAfterSeconds: RETRY_WHEN_FULL_SECONDS });
    return { reason: 'cap', error };
  }
  if (kind === 'owned-connection') {
    const message = `You have ${limits.connectionsPerUser} connections to this server through this client, and all of them are in use. Close one of them, or try again in a minute.`;
    const error = new SessionError('too_many_requests', message, {
      retryAfterSeconds: RETRY_WHEN_FULL_SECONDS,
    });
    return { reason: 'user', error };
  }
  const message =
    'Too many sessions of your address wait for their users to log in. Log in to one of them, or end one.';
  return { reason: 'address', error: tooManyRequests(message, Math.ceil(refused.waitMs / 1000)) };
}

function shareLimitOf({ kind, quotaKey }: SessionRecord, limits: SessionLimits): InsertLimits['share'] {
  // A connection with an open stream or a call in flight is present. All others can make room at once.
  if (kind === 'owned-connection') return { max: limits.connectionsPerUser, minIdleMs: 0 };
  if (kind === 'owner-session' || quotaKey === '') return undefined;
  return { max: limits.anonymousSessionsPerAddress, minIdleMs: MIN_IDLE_MS };
}
