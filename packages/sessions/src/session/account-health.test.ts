import { describe, expect, it } from 'vitest';
import { accountHealth } from './account-health.js';
import type { AccountRecord } from './session-record.js';

const account: AccountRecord = {
  provider: 'idp',
  state: 'authenticated',
  generation: 1,
  grantId: 1,
  subject: 'alice',
  scopes: [],
  hasRefreshToken: true,
  expiresAtMs: 1000,
};

describe('the health of an account', () => {
  it.each<[string, Partial<AccountRecord>]>([
    ['its token is valid', { expiresAtMs: 1001 }],
    ['its token has expired and a refresh has not been tried', {}],
    ['its token has no expiry', { expiresAtMs: undefined, hasRefreshToken: false }],
  ])('is good if %s', (_when, fields) => {
    expect(accountHealth({ ...account, ...fields }, 1000)).toBe('good');
  });

  it('is at risk once a refresh has failed, until the token expires', () => {
    const failed = { ...account, failures: 1, failureReason: 'provider_refused' } as const;
    expect(accountHealth(failed, 999)).toBe('at_risk');
    expect(accountHealth(failed, 1000)).toBe('expired');
    expect(accountHealth({ ...failed, expiresAtMs: undefined }, 1000)).toBe('at_risk');
  });

  it('is expired if the token has expired and nothing can renew it', () => {
    expect(accountHealth({ ...account, hasRefreshToken: false }, 999)).toBe('good');
    expect(accountHealth({ ...account, hasRefreshToken: false }, 1000)).toBe('expired');
    expect(accountHealth({ ...account, failureReason: 'token_rejected' }, 1000)).toBe('expired');
  });
});
