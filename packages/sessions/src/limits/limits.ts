import { z } from 'zod';

/** How much one client may ask for. What one address may, clients on this machine may without limit. */
export interface Limits {
  /** The maximum number of sessions of this node, 1,000,000 at most. Default: 10,000. */
  readonly maxSessions: number;
  /**
   * How many sessions of this node may be open without a login; open access only. Each takes about 50 KiB of memory.
   * Default: 1,500, or 15 % of `maxSessions` if that is more.
   */
  readonly anonymousSessions: number;
  /** How many sessions of one address may be open that never had a login; open access only. Default: 1,000. */
  readonly anonymousSessionsPerAddress: number;
  /** How many sessions of this node one account, a user at a provider, may be logged in to. Default: 100. */
  readonly sessionsPerAccount: number;
  /** How many logins one address may start in a minute; open access only. Default: 600. */
  readonly loginStartsPerMinute: number;
  /** How many logins one user may start in a minute; bearer access only. Default: 60. */
  readonly loginStartsPerUserPerMinute: number;
  /** How many requests for login pages without a valid link, state or cookie one address may send in a minute. Default: 300. */
  readonly invalidLoginRequestsPerMinute: number;
  /**
   * How many invalid access tokens one address may send in a minute, expired ones excepted; bearer access only.
   * Default: 600.
   */
  readonly refusedTokensPerMinute: number;
  /** How many logins may be under way on this node. Default: 1,000. */
  readonly pendingLogins: number;
  /** How many 2025 connections one user may have through one client; bearer access only. Default: 10. */
  readonly connectionsPerUser: number;
  /** How many network connections `listen` keeps open. Default: 20,000, or twice `maxSessions` if that is more. */
  readonly connections: number;
  /** How many network connections one address may have, trusted proxies excepted. Default: 4,000. */
  readonly connectionsPerAddress: number;
  /**
   * The maximum number of array elements and object keys in the arguments of one tool call. A table of 5,000 rows and 2
   * columns has 15,000. Each of them costs up to 2 µs of CPU if the arguments do not fit the tool's schema. Default:
   * 20,000.
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
  toolArgumentElements: 20_000,
};

const MAX_SESSIONS = 1_000_000;

const COUNT = 'must be a whole number, at least 1';
const count = z.int(COUNT).positive(COUNT);

/** Validates {@link Limits}. */
export const limitsSchema: z.ZodObject<Record<keyof Limits, z.ZodInt>> = z.strictObject({
  maxSessions: count.max(MAX_SESSIONS, `must be at most ${MAX_SESSIONS.toLocaleString('en')}`),
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
