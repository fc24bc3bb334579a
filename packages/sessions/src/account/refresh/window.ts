import type { GrantedTokens } from './granted-tokens.js';

const MIN_WINDOW_SECONDS = 60;
const MAX_WINDOW_SECONDS = 300;
const WINDOW_SHARE = 0.2;
/** Tokens that live less than this are refreshed at half-time. */
const SHORT_LIFETIME_SECONDS = 120;
const JITTER = 0.1;
/** For providers that do not send `expires_in`. */
const ASSUMED_LIFETIME_MS = 300_000;
/**
 * A refresh ahead of the end of the refresh token comes no sooner than this after the last one. At the end of the
 * user's session at the provider, no refresh extends the lifetime, and the rest of it becomes shorter each time.
 */
const MIN_INTERVAL_MS = 30_000;

/** When the tokens of a set expire, and when to refresh them. */
export interface TokenTimes {
  readonly lifetimeMs: number | undefined;
  readonly expiresAtMs: number | undefined;
  readonly refreshAtMs: number | undefined;
  readonly refreshExpiresAtMs: number | undefined;
}

/**
 * The times of a new token set. The refresh window before the expiry of the access token is 20 % of its lifetime, from
 * one to five minutes; for a lifetime under two minutes it is half of it. The refresh token has a window of its own, if
 * its lifetime is announced: the earlier one counts. Jitter of 10 % spreads the refreshes of many sessions.
 *
 * Without `expires_in` the previous lifetime applies, else five minutes. A token without `expires_in` and without
 * refresh token is used until an API rejects it.
 *
 * @param previous the times of the token set that a refresh replaces
 * @param fraction a random number from 0 to 1
 */
export function tokenTimes(
  granted: GrantedTokens,
  previous: Partial<TokenTimes>,
  canRefresh: boolean,
  fraction: number,
): TokenTimes {
  const lifetimeMs = lifetimeOf(granted, previous.lifetimeMs, canRefresh);
  const refreshExpiresAtMs = canRefresh ? refreshExpiryOf(granted, previous) : undefined;
  if (lifetimeMs === undefined)
    return { lifetimeMs, expiresAtMs: undefined, refreshAtMs: undefined, refreshExpiresAtMs };
  const { requestedAtMs } = granted;
  const jitter = 1 + JITTER * (2 * fraction - 1);
  const expiresAtMs = requestedAtMs + lifetimeMs;
  const dueAtMs = expiresAtMs - windowMs(lifetimeMs) * jitter;
  if (refreshExpiresAtMs === undefined)
    return { lifetimeMs, expiresAtMs, refreshAtMs: dueAtMs, refreshExpiresAtMs };
  const refreshDueAtMs = refreshExpiresAtMs - windowMs(refreshExpiresAtMs - requestedAtMs) * jitter;
  const soonestAtMs = requestedAtMs + MIN_INTERVAL_MS;
  const refreshAtMs = Math.min(dueAtMs, Math.max(refreshDueAtMs, soonestAtMs));
  return { lifetimeMs, expiresAtMs, refreshAtMs, refreshExpiresAtMs };
}

/** Without a lifetime in the response, the same refresh token keeps its expiry, and a new one has none. */
function refreshExpiryOf(
  { requestedAtMs, refreshExpiresInSeconds, tokens }: GrantedTokens,
  previous: Partial<TokenTimes>,
): number | undefined {
  if (refreshExpiresInSeconds !== undefined) return requestedAtMs + refreshExpiresInSeconds * 1000;
  return tokens.refreshToken ? undefined : previous.refreshExpiresAtMs;
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
