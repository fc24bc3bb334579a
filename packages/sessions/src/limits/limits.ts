import { z } from 'zod';

/** Limits for clients. Limits for an address do not apply to clients on this machine. */
export interface Limits {
  /** The maximum number of sessions of this node, 1,000,000 at most. Default: 10,000. */
  readonly maxSessions: number;
  /**
   * The maximum number of sessions of this node without a login; open access only. Each takes about 50 KiB of memory.
   * Default: 1,500, or 15 % of `maxSessions` if that is more.
   */
  readonly anonymousSessions: number;
  /** The maximum number of sessions of one address that never had a login; open access only. Default: 1,000. */
  readonly anonymousSessionsPerAddress: number;
  /** The maximum number of sessions of this node with a login of one account: a user at a provider. Default: 100. */
  readonly sessionsPerAccount: number;
  /** The maximum number of logins that one address starts in a minute; open access only. Default: 600. */
  readonly loginStartsPerMinute: number;
  /** The maximum number of logins that one user starts in a minute; bearer access only. Default: 60. */
  readonly loginStartsPerUserPerMinute: number;
  /**
   * The maximum number of requests for login pages without a valid link, state or cookie from one address in a minute.
   * Default: 300.
   */
  readonly invalidLoginRequestsPerMinute: number;
  /**
   * The maximum number of invalid access tokens from one address in a minute, except expired ones; bearer access only.
   * Default: 600.
   */
  readonly refusedTokensPerMinute: number;
  /** The maximum number of pending logins of this node. Default: 1,000. */
  readonly pendingLogins: number;
  /** The maximum number of 2025 connections of one user through one client; bearer access only. Default: 10. */
  readonly connectionsPerUser: number;
  /** The maximum number of network connections of `listen`. Default: 20,000, or twice `maxSessions` if that is more. */
  readonly connections: number;
  /** The maximum number of network connections of one address, except trusted proxies. Default: 4,000. */
  readonly connectionsPerAddress: number;
  /**
   * The maximum number of array elements and object keys in the arguments of one tool call. A table of 5,000 rows and 2
   * columns has 15,000. Each of them costs up to 2 µs of CPU if the arguments do not fit the tool's schema. Default:
   * 16,000.
   */
  readonly toolArgumentElements: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxSessions: 10_000,
  anonymousSessions: 1500,
  anonymousSessionsPerAddress: 1000,
  sessionsPerAccount: 100,
  loginStartsPerMinute: 600,
  loginStartsPerUserPerMinute: 60,
  invalidLoginRequestsPerMinute: 300,
  refusedTokensPerMinute: 600,
  pendingLogins: 1000,
  connectionsPerUser: 10,
  connections: 20_000,
  connectionsPerAddress: 4000,
  toolArgumentElements: 16_000,
};

const MAX_SESSIONS = 1_000_000;

const COUNT = 'must be a whole number, at least 1';
const count = z.int(COUNT).positive(COUNT);

/** Validates {@link Limits}. */
export const limitsSchema: z.ZodObject<Record<keyof Limits, z.ZodInt>> = z.strictObject({
  maxSessions: count.max(MAX_SESSIONS, {
    // A function: numbers in the words of a language take 10 ms of the start.
    error: () => `must be at most ${MAX_SESSIONS.toLocaleString('en')}`,
  }),
  anonymousSessions: count,
  anonymousSessionsPerAddress: count,
  sessionsPerAccount: count,
  loginStartsPerMinute: count,
  loginStartsPerUserPerMinute: count,
  invalidLoginRequestsPerMinute: count,
  refusedTokensPerMinute: count,
  pendingLogins: count,
  connectionsPerUser: count,
  connections: count,
  connectionsPerAddress: count,
  toolArgumentElements: count,
});
