import type { GrantedTokens } from './granted-tokens.js';

const MIN_WINDOW_SECONDS = 60;
const MAX_WINDOW_SECONDS = 300;
const WINDOW_SHARE = 0.2;
/** Tokens that live less than this are refreshed at half-time. */
const SHORT_LIFETIME_SECONDS = 120;
const JITTER = 0.1;
/** For providers that do not send `expires_in`. */
const ASSUMED_LIFETIME_MS = 300_000;

/** When a token expires, and when to refresh it. */
export interface TokenTimes {
  readonly lifetimeMs: number | undefined;
  readonly expiresAtMs: number | undefined;
  readonly refreshAtMs: number | undefined;
}

/**
 * The times of a new token. The refresh window before its expiry is 20 % of the lifetime, from one to five minutes; for
 * a lifetime under two minutes it is half of it. Jitter of 10 % spreads the refreshes of many sessions.
 *
 * Without `expires_in` the previous lifetime applies, else five minutes. A token without `expires_in` and without
 * refresh token is used until an API rejects it.
 *
 * @param fraction a random number from 0 to 1
 */
export function tokenTimes(
  granted: GrantedTokens,
  previousLifetimeMs: number | undefined,
  canRefresh: boolean,
  fraction: number,
): TokenTimes {
  const lifetimeMs = lifetimeOf(granted, previousLifetimeMs, canRefresh);
  if (lifetimeMs === undefined) return { lifetimeMs, expiresAtMs: undefined, refreshAtMs: undefined };
  const jitter = 1 + JITTER * (2 * fraction - 1);
  const expiresAtMs = granted.requestedAtMs + lifetimeMs;
  return { lifetimeMs, expiresAtMs, refreshAtMs: expiresAtMs - windowMs(lifetimeMs) * jitter };
}

function lifetimeOf(
  granted: GrantedTokens,
  previousLifetimeMs: number | undefined,
  canRefresh: boolean,
): number | undefined {
  if (granted.expiresInSeconds !== undefined) return granted.expiresInSeconds * 1000;
  return previousLifetimeMs ?? (canRefresh ? ASSUMED_LIFETIME_MS : undefined);
}

function windowMs(lifetimeMs: number): number {
  const seconds = lifetimeMs / 1000;
  if (seconds < SHORT_LIFETIME_SECONDS) return lifetimeMs / 2;
  return 1000 * Math.max(MIN_WINDOW_SECONDS, Math.min(MAX_WINDOW_SECONDS, seconds * WINDOW_SHARE));
}
