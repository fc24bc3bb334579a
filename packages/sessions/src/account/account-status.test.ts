import { describe, expect, it } from 'vitest';
import type { AccountRecord } from '../session/session-record.js';
import { accountStatus } from './account-status.js';

const account: AccountRecord = {
  provider: 'idp',
  state: 'authenticated',
  generation: 1,
  grantId: 1,
  subject: 'alice',
  scopes: ['notes'],
  hasRefreshToken: true,
};

describe('the status of an account', () => {
  it('says who it is, and nothing that it does not know', () => {
    expect(accountStatus(account, 0)).toStrictEqual({
      provider: 'idp',
      state: 'authenticated',
      subject: 'alice',
      scopes: ['notes'],
    });
  });

  it('gives its times in seconds from now, and none that lies in the past', () => {
    const timed = { ...account, name: 'Alice', expiresAtMs: 70_400, refreshAtMs: 40_600 };
    expect(accountStatus(timed, 10_000)).toMatchObject({
      name: 'Alice',
      accessTokenExpiresInSeconds: 60,
      nextRefreshInSeconds: 31,
    });
    expect(accountStatus(timed, 50_000)).toMatchObject({
      accessTokenExpiresInSeconds: 20,
      nextRefreshInSeconds: 0,
    });
  });

  it('announces no refresh where there is nothing to refresh with', () => {
    const timed = { ...account, hasRefreshToken: false, expiresAtMs: 60_000, refreshAtMs: 30_000 };
    expect(accountStatus(timed, 0)).not.toHaveProperty('nextRefreshInSeconds');
  });

  it('says why it needs a new login', () => {
    const dead = {
      ...account,
      state: 'reauthentication_required',
      failureReason: 'grant_revoked',
      hasRefreshToken: false,
    } as const;
    expect(accountStatus(dead, 0)).toMatchObject({
      state: 'reauthentication_required',
      reason: 'grant_revoked',
    });
  });

  it('says that its access token has expired and was not renewed', () => {
    const failing = {
      ...account,
      failures: 1,
      failureReason: 'provider_refused',
      expiresAtMs: 60_000,
    } as const;
    expect(accountStatus(failing, 59_999)).toMatchObject({ state: 'authenticated' });
    expect(accountStatus(failing, 60_000)).toMatchObject({ state: 'expired', reason: 'provider_refused' });
  });

  it('says which scopes were not granted, and which an API requires', () => {
    const lacking = { ...account, refusedScopes: ['b'], stepUp: { scopes: ['c'] } };
    expect(accountStatus(lacking, 0)).toMatchObject({
      refusedScopes: ['b'],
      requiresStepUp: true,
      requiredScopes: ['c'],
    });
    const weak = { ...account, stepUp: { claims: '{}' } };
    expect(accountStatus(weak, 0)).toMatchObject({ requiresStepUp: true });
    expect(accountStatus(weak, 0)).not.toHaveProperty('requiredScopes');
  });

  it('says when its refresh token expires, as long as it has one', () => {
    const timed = { ...account, refreshExpiresAtMs: 90_000 };
    expect(accountStatus(timed, 30_000)).toMatchObject({ refreshExpiresInSeconds: 60 });
    expect(accountStatus({ ...timed, hasRefreshToken: false }, 0)).not.toHaveProperty(
      'refreshExpiresInSeconds',
    );
  });
});
