import { isPresent, type Presence } from './presence.js';
import { type EndReason, isSignedIn, type SessionRecord, type SignOutReason } from './session-record.js';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Lifetimes, in milliseconds. */
export interface Lifetimes {
  /**
   * How long a login lasts while its client is absent: no request in flight and no stream open. Counts from the last
   * answer or stream. Default: 30 minutes.
   */
  readonly idleMs: number;
  /** The maximum time from a login until it is wiped. Default: 12 hours. */
  readonly absoluteMs: number;
  /**
   * From the disconnection of a client (its stream or its last connection ends) until its login is wiped. `0`: at once.
   * Default: 2 minutes.
   */
  readonly disconnectGraceMs: number;
  /** The maximum time from the start of a login to its end. Default: 10 minutes. */
  readonly loginAttemptMs: number;
  /** The time without request or stream after which a connection, or an owner's session, ends. Default: 24 hours. */
  readonly connectionTtlMs: number;
  /** How long closing waits for requests in flight, and then again for revocations. Default: 10 seconds. */
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

/** The next change that a lifetime causes. */
export type DueChange = { readonly atMs: number } & (
  | { readonly action: 'sign-out'; readonly reason: SignOutReason }
  | { readonly action: 'end'; readonly reason: EndReason }
);

/** The next change that a lifetime causes, unless the client is active before. */
export function nextDue(record: SessionRecord, presence: Presence, lifetimes: Lifetimes): DueChange {
  const dues = [connectionEnd(record, presence, lifetimes)];
  if (isSignedIn(record)) dues.push(...signOuts(record, presence, lifetimes));
  return dues.reduce((first, due) => (due.atMs < first.atMs ? due : first));
}

/** When the idle time of a login ends; `undefined` while its client is present. */
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
  const hasDisconnected = disconnectedAtMs !== undefined && !isPresent(presence);
  if (hasDisconnected && record.lastRequestAtMs <= disconnectedAtMs) {
    const disconnectedSinceMs = Math.max(disconnectedAtMs, presentUntilMs, record.signedInAtMs ?? 0);
    dues.push({
      action: 'sign-out',
      reason: 'disconnect',
      atMs: disconnectedSinceMs + lifetimes.disconnectGraceMs,
    });
  }
  return dues;
}

function connectionEnd(record: SessionRecord, presence: Presence, lifetimes: Lifetimes): DueChange {
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
