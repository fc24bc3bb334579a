import { describe, expect, it } from 'vitest';
import { Secret } from '../../vault/secret.js';
import { type TokenTimes, tokenTimes } from './window.js';

function times(expiresInSeconds: number | undefined, previousMs?: number, canRefresh = true, fraction = 0.5) {
  const tokens = { accessToken: Secret.fromString('x'), refreshToken: undefined };
  const granted = { tokens, requestedAtMs: 1000, expiresInSeconds, scopes: undefined, identity: undefined };
  return tokenTimes(granted, { lifetimeMs: previousMs }, canRefresh, fraction);
}

describe('the refresh window [security 18]', () => {
  it.each([
    [10, 5],
    [100, 50],
    [120, 60],
    [200, 60],
    [600, 120],
    [3600, 300],
    [86_400, 300],
  ])('of a token that lives %i s is %i s', (lifetimeSeconds, windowSeconds) => {
    const { expiresAtMs, refreshAtMs } = times(lifetimeSeconds);
    expect(expiresAtMs).toBe(1000 + lifetimeSeconds * 1000);
    expect((expiresAtMs ?? 0) - (refreshAtMs ?? 0)).toBe(windowSeconds * 1000);
  });

  it('varies by a tenth in either direction', () => {
    const windows = [0, 1].map((fraction) => {
      const { expiresAtMs, refreshAtMs } = times(3600, undefined, true, fraction);
      return (expiresAtMs ?? 0) - (refreshAtMs ?? 0);
    });
    expect(windows.map(Math.round)).toEqual([270_000, 330_000]);
  });

  it('takes the previous lifetime when the provider says none, else five minutes', () => {
    expect(times(undefined, 60_000).lifetimeMs).toBe(60_000);
    expect(times(undefined).lifetimeMs).toBe(300_000);
  });

  it('does not exist for a token without lifetime and refresh token', () => {
    expect(times(undefined, undefined, false)).toEqual({
      lifetimeMs: undefined,
      expiresAtMs: undefined,
      refreshAtMs: undefined,
      refreshExpiresAtMs: undefined,
    });
  });
});

describe('the lifetime of a refresh token', () => {
  const ACCESS = Secret.fromString('x');
  /** The times in seconds after a request at second 0, with an access token that lives ten minutes. */
  function secondsOf(
    response: { refreshExpiresInSeconds?: number; hasRefreshToken?: boolean },
    previous: Partial<TokenTimes> = {},
    canRefresh = true,
  ) {
    const { refreshExpiresInSeconds, hasRefreshToken = true } = response;
    const refreshToken = hasRefreshToken ? Secret.fromString('r') : undefined;
    const granted = {
      tokens: { accessToken: ACCESS, refreshToken },
      requestedAtMs: 0,
      expiresInSeconds: 600,
    };
    const times = tokenTimes(
      { ...granted, refreshExpiresInSeconds, scopes: undefined, identity: undefined },
      previous,
      canRefresh,
      0.5,
    );
    const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
    return { refresh: seconds(times.refreshAtMs), refreshExpiry: seconds(times.refreshExpiresAtMs) };
  }

  it.each([
    ['is longer than that of the access token', 1800, 480],
    ['is as long', 600, 480],
    ['is shorter (Keycloak)', 300, 240],
    ['is shorter than half of it', 100, 50],
    // Else, at the end of a session at the provider, refreshes would follow each other ever faster.
    ['is over within a minute', 40, 30],
    ['is over at once', 10, 30],
  ])('makes the refresh come before its end if it %s', (_when, refreshExpiresInSeconds, refresh) => {
    expect(secondsOf({ refreshExpiresInSeconds })).toEqual({
      refresh,
      refreshExpiry: refreshExpiresInSeconds,
    });
  });

  it('stays as it was if a refresh returns neither another refresh token nor a lifetime', () => {
    const previous = { refreshExpiresAtMs: 300_000 };
    expect(secondsOf({ hasRefreshToken: false }, previous)).toEqual({ refresh: 240, refreshExpiry: 300 });
    expect(secondsOf({ hasRefreshToken: false, refreshExpiresInSeconds: 900 }, previous)).toEqual({
      refresh: 480,
      refreshExpiry: 900,
    });
  });

  it('is unknown for another refresh token without one, and for an account without refresh token', () => {
    expect(secondsOf({}, { refreshExpiresAtMs: 300_000 })).toEqual({
      refresh: 480,
      refreshExpiry: undefined,
    });
    expect(secondsOf({ refreshExpiresInSeconds: 300 }, {}, false)).toEqual({
      refresh: 480,
      refreshExpiry: undefined,
    });
  });
});
