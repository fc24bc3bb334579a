import { describe, expect, it } from 'vitest';
import type { AccountStatus } from '../../account/account-status.js';
import type { PendingLogin } from '../../login/pending-login.js';
import type { SessionRef } from '../../session/ids.js';
import { blankRecord, type SessionKind } from '../../session/session-record.js';
import { nextStep } from './status-texts.js';

const PROVIDERS = ['work', 'home'];
const REF = 'a-session-reference' as SessionRef;

const pendingLogin = (change: Partial<PendingLogin>): PendingLogin => ({
  provider: 'work',
  providerName: 'Work',
  loginUrl: 'https://server.test/connect/1',
  userCode: undefined,
  expiresInSeconds: 600,
  detectionDelayMs: 0,
  needsCode: false,
  ...change,
});

/** The next step while a login is pending. */
function nextWhile(change: Partial<PendingLogin>, kind: SessionKind = 'connection'): string {
  const login = pendingLogin(change);
  const pending: AccountStatus = { provider: login.provider, state: 'pending' };
  return nextStep(blankRecord(REF, kind, 'a user', 0), [pending], [login], PROVIDERS);
}

describe('the next step of `session_status` while a login is pending', () => {
  it('is to wait for the user at the link', () => {
    expect(nextWhile({})).toBe(
      'A login is pending. When the user has completed it in the browser, call `login` again.',
    );
  });

  it('is to ask for the code that the browser shows, if one is required', () => {
    expect(nextWhile({ needsCode: true })).toBe(
      'The browser shows a confirmation code. Ask the user for it and call `login` again with the `code`.',
    );
    expect(nextWhile({ needsCode: true, provider: 'home' }, 'pending-handle')).toMatch(
      /call `login` again with this `session`, provider "home" and the `code`\.$/,
    );
  });

  it('is to enter the user code at the link, in the device flow', () => {
    expect(nextWhile({ userCode: 'ABCD-EFGH', loginUrl: 'https://idp.test/device' })).toBe(
      'A login is pending. When the user has completed it by entering the code ABCD-EFGH at https://idp.test/device, call `login` again.',
    );
  });

  it('concerns the pending login, not another one', () => {
    const accounts: AccountStatus[] = [
      { provider: 'work', state: 'authenticated' },
      { provider: 'home', state: 'pending' },
    ];
    const record = blankRecord(REF, 'connection', 'a user', 0);
    const logins = [pendingLogin({ needsCode: true }), pendingLogin({ provider: 'home' })];
    expect(nextStep(record, accounts, logins, PROVIDERS)).toMatch(/^A login at "home" is pending\./);
  });
});
