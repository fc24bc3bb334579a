import { describe, expect, it } from 'vitest';
import { Secret } from '../../vault/secret.js';
import { tokenTimes } from './window.js';

function times(expiresInSeconds: number | undefined, previousMs?: number, canRefresh = true, fraction = 0.5) {
  const tokens = { accessToken: Secret.fromString('x'), refreshToken: undefined };
  const granted = { tokens, requestedAtMs: 1000, expiresInSeconds, scopes: undefined, identity: undefined };
  return tokenTimes(granted, previousMs, canRefresh, fraction);
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
    });
  });
});
