import { isPresent, type Presence } from './presence.js';
import { type EndReason, isSignedIn, type SessionRecord, type SignOutReason } from './session-record.js';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** How long things last, in milliseconds. */
export interface Lifetimes {
  /**
   * How long a login lasts while its client is absent: no request in flight and no stream open. Counts from the last
   * answer or stream. Default: 30 minutes.
   */
  readonly idleMs: number;
  /** From login until it is wiped, whatever happens. Default: 12 hours. */
  readonly absoluteMs: number;
  /** From the moment a client has gone, its stream lost or its last connection ended, until its login is wiped. `0`: at once. Default: 2 minutes. */
  readonly disconnectGraceMs: number;
  /** How long a started login can be finished. Default: 10 minutes. */
  readonly loginAttemptMs: number;
  /** Without request or stream until a connection's id, or an owner's session, is forgotten. Default: 24 hours. */
  readonly connectionTtlMs: number;
  /** How long closing waits for calls in flight, and then as long again for revocations. Default: 10 seconds. */
  readonly shutdownDrainMs: number;
}

export const DEFAULT_LIFETIMES: Lifetimes = {
  idleMs: 30 * MINUTE_MS,
  absoluteMs: 12 * HOUR_MS,
  disconnectGraceMs: 2 * MINUTE_MS,
  loginAttemptMs: 10 * MINUTE_MS,
  connectionTtlMs: 24 * HOUR_MS,
  shutdownDrainMs: 10 * SECOND_MS,
};

/** What happens to a session next if nothing else does. */
export type DueChange = { readonly atMs: number } & (
  | { readonly action: 'sign-out'; readonly reason: SignOutReason }
  | { readonly action: 'end'; readonly reason: EndReason }
);

/** The first thing that time will do to a session. */
export function nextDue(record: SessionRecord, presence: Presence, lifetimes: Lifetimes): DueChange {
  const dues = [lastResort(record, presence, lifetimes)];
  if (isSignedIn(record)) dues.push(...signOuts(record, presence, lifetimes));
  return dues.reduce((first, due) => (due.atMs < first.atMs ? due : first));
}

/** When a login is wiped for want of requests; `undefined` while its client is present. */
export function idleAtMs(
  record: SessionRecord,
  presence: Presence,
  lifetimes: Lifetimes,
): number | undefined {
  return isPresent(presence) ? undefined : lastSeenAtMs(record, presence) + lifetimes.idleMs;
}

/**
 * When a session's client was last active; `Infinity` while it is present. A client counts as active until its stream
 * has closed and its request is answered. A login counts as activity, too, although the client has sent no request
 * since it got the link.
 */
export function lastSeenAtMs(record: SessionRecord, presence: Presence): number {
  if (isPresent(presence)) return Number.POSITIVE_INFINITY;
  return Math.max(record.lastRequestAtMs, presence.presentUntilMs ?? 0, record.signedInAtMs ?? 0);
}

function signOuts(record: SessionRecord, presence: Presence, lifetimes: Lifetimes): DueChange[] {
  const dues: DueChange[] = [
    {
      action: 'sign-out',
      reason: 'absolute',
      atMs: (record.signedInAtMs ?? record.createdAtMs) + lifetimes.absoluteMs,
    },
  ];
  const idle = idleAtMs(record, presence, lifetimes);
  if (idle !== undefined) dues.push({ action: 'sign-out', reason: 'idle', atMs: idle });
  const { disconnectedAtMs, presentUntilMs = 0 } = presence;
  const hasGone = disconnectedAtMs !== undefined && !isPresent(presence);
  if (hasGone && record.lastRequestAtMs <= disconnectedAtMs) {
    const goneSinceMs = Math.max(disconnectedAtMs, presentUntilMs, record.signedInAtMs ?? 0);
    dues.push({
      action: 'sign-out',
      reason: 'disconnect',
      atMs: goneSinceMs + lifetimes.disconnectGraceMs,
    });
  }
  return dues;
}

function lastResort(record: SessionRecord, presence: Presence, lifetimes: Lifetimes): DueChange {
  if (record.kind === 'pending-handle') {
    return {
      action: 'end',
      reason: 'login_expired',
      atMs: record.lastRequestAtMs + lifetimes.loginAttemptMs,
    };
  }
  return {
    action: 'end',
    reason: 'connection_expired',
    atMs: lastSeenAtMs(record, presence) + lifetimes.connectionTtlMs,
  };
}
