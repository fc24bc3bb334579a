import { describe, expect, it } from 'vitest';
import type { AccountStatus } from '../../account/account-status.js';
import type { LoginFault } from '../../login/login-attempt.js';
import type { PendingLogin } from '../../login/pending-login.js';
import { omitUndefined } from '../../omit-undefined.js';
import type { SessionRef } from '../../session/ids.js';
import { blankRecord, type SessionKind } from '../../session/session-record.js';
import { nextStep, type SessionLogins } from './status-texts.js';

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
  isRenewal: false,
  ...change,
});

/** The logins of a session, none of which has failed. */
const pendingOnly = (...pending: readonly PendingLogin[]): SessionLogins => ({ pending, failed: [] });

/** The next step while a login is pending. */
function nextWhile(change: Partial<PendingLogin>, kind: SessionKind = 'connection'): string {
  const login = pendingLogin(change);
  const pending: AccountStatus = { provider: login.provider, state: 'pending' };
  return nextStep(blankRecord(REF, kind, 'a user', 0), [pending], pendingOnly(login), PROVIDERS);
}

describe('the next step of `session_status` while a login is pending', () => {
  it('is to wait for the user at the link', () => {
    expect(nextWhile({})).toBe(
      'A login is pending. When the user has completed it in the browser, call `login` again.',
    );
  });

  it('is to ask for the code that the browser shows, if one is required', () => {
    expect(nextWhile({ needsCode: true })).toBe(
      'The browser shows a confirmation code. Ask the user for it and call `login` again with the `code`. If they have closed the page, the link shows the code again in the same browser. For a new link, call `login` again with restart: true.',
    );
    expect(nextWhile({ needsCode: true, provider: 'home' }, 'pending-handle')).toMatch(
      /call `login` again with this `session`, provider "home" and the `code`\. .* with this `session`, provider "home" and restart: true\.$/,
    );
  });

  it('is to enter the user code at the link, in the device flow', () => {
    expect(nextWhile({ userCode: 'ABCD-EFGH', loginUrl: 'https://idp.test/device' })).toBe(
      'A login is pending. When the user has completed it by entering the code ABCD-EFGH at https://idp.test/device, call `login` again.',
    );
  });

  it('is to complete a renewal, although the login before it is valid', () => {
    const accounts: AccountStatus[] = [{ provider: 'work', state: 'authenticated' }];
    const record = blankRecord(REF, 'connection', 'a user', 0);
    expect(nextStep(record, accounts, pendingOnly(pendingLogin({ isRenewal: true })), PROVIDERS)).toMatch(
      /^A login is pending\./,
    );
  });

  it('concerns the pending login, not another one', () => {
    const accounts: AccountStatus[] = [
      { provider: 'work', state: 'authenticated' },
      { provider: 'home', state: 'pending' },
    ];
    const record = blankRecord(REF, 'connection', 'a user', 0);
    const logins = [pendingLogin({ needsCode: true }), pendingLogin({ provider: 'home' })];
    expect(nextStep(record, accounts, pendingOnly(...logins), PROVIDERS)).toMatch(
      /^A login at "home" is pending\./,
    );
  });
});

describe('the next step of `session_status` for a login', () => {
  const GOOD: AccountStatus = {
    provider: 'work',
    state: 'authenticated',
    accessTokenExpiresInSeconds: 300,
    nextRefreshInSeconds: 240,
  };
  type Change = { [Field in keyof AccountStatus]?: AccountStatus[Field] | undefined };
  const nextFor = (change: Change) => {
    const account = omitUndefined({ ...GOOD, ...change }) as AccountStatus;
    return nextStep(blankRecord(REF, 'connection', 'a user', 0), [account], pendingOnly(), ['work']);
  };
  const NEXT_TRY = 'The next try is in 240 seconds.';
  const CALL = 'Call `login` with provider "work"';

  it('is nothing only if the login is good and complete', () => {
    expect(nextFor({})).toBe('Nothing. The login is valid, and its tokens are refreshed automatically.');
  });

  it('does not promise a refresh of tokens that have no end', () => {
    expect(nextFor({ accessTokenExpiresInSeconds: undefined, nextRefreshInSeconds: undefined })).toBe(
      'Nothing. The login is valid.',
    );
  });

  it.each<[string, Change, string]>([
    [
      'could not be refreshed in an outage',
      { reason: 'provider_unavailable' },
      `The login at "work" could not be refreshed: the provider is not available. ${NEXT_TRY} The access token is valid for 300 more seconds. ${CALL} and renew: true to log in again now.`,
    ],
    [
      'was not refreshed, and has no known end',
      { reason: 'provider_refused', accessTokenExpiresInSeconds: undefined },
      `The login at "work" could not be refreshed: the provider rejected the refresh. ${NEXT_TRY} ${CALL} and renew: true to log in again now.`,
    ],
    [
      'has expired in an outage',
      { state: 'expired', reason: 'provider_unavailable' },
      `The access token at "work" has expired, and the provider is not available. ${NEXT_TRY} ${CALL} to log in again now; the current login is kept until that succeeds.`,
    ],
    [
      'has expired, and the provider rejects the refresh',
      { state: 'expired', reason: 'provider_refused' },
      `The access token at "work" has expired, and the provider rejected the refresh. ${NEXT_TRY} ${CALL} to log in again now; the current login is kept until that succeeds.`,
    ],
    [
      'has expired without a refresh token',
      { state: 'expired', nextRefreshInSeconds: undefined },
      `The login at "work" has expired. ${CALL} to log in again.`,
    ],
    [
      'is rejected by the API',
      { state: 'expired', reason: 'token_rejected' },
      `The login at "work" is no longer accepted by the API, which rejected its renewed token, too. ${CALL} to log in again.`,
    ],
    [
      'ends soon',
      { nextRefreshInSeconds: undefined },
      'The login at "work" is valid for 300 more seconds and cannot be refreshed. Call `login` after that.',
    ],
    [
      'lacks scopes that were not granted',
      { refusedScopes: ['notes:write'] },
      `The user or the provider did not grant ["notes:write"] at "work". ${CALL} and renew: true to ask again, if a tool needs them.`,
    ],
    [
      'lacks scopes that an API requires',
      { requiresStepUp: true, requiredScopes: ['notes:write'] },
      `An API requires the scopes ["notes:write"] at "work". ${CALL}.`,
    ],
    [
      'is too weak for an API',
      { requiresStepUp: true },
      `An API requires a stronger login at "work". ${CALL}.`,
    ],
  ])('that %s says so, and what to do', (_what, change, next) => {
    expect(nextFor(change)).toBe(next);
  });

  it('names every problem', () => {
    expect(nextFor({ reason: 'provider_refused', refusedScopes: ['a'] })).toMatch(
      /could not be refreshed.*did not grant \["a"\]/,
    );
  });
});

describe('the next step of `session_status` after a login that has failed', () => {
  const nextAfter = (fault: LoginFault, accounts: readonly AccountStatus[] = [], provider = 'work') => {
    const logins = { pending: [], failed: [{ provider, fault }] };
    return nextStep(blankRecord(REF, 'connection', 'a user', 0), accounts, logins, PROVIDERS);
  };
  const valid: AccountStatus = { provider: 'work', state: 'authenticated' };

  it('says why, and calls for another login', () => {
    expect(nextAfter({ failure: 'expired' })).toBe(
      'The login was not completed in time. Call `login` to start a new one.',
    );
    expect(nextAfter({ failure: 'expired' }, [], 'home')).toBe(
      'The login was not completed in time. Call `login` to start a new one. This was a login with provider "home".',
    );
  });

  it('says that the login before it is valid', () => {
    expect(nextAfter({ failure: 'expired' }, [valid])).toMatch(
      /^The login was not completed in time\. The login before it is still valid\. .* call `login` with provider "work" and renew: true\. Not logged in at "home"/,
    );
  });

  it('is also what the login before it needs', () => {
    const ended: AccountStatus = { ...valid, state: 'reauthentication_required', reason: 'grant_revoked' };
    expect(nextAfter({ failure: 'declined' }, [ended])).toBe(
      'The user declined to log in. Ask them before you try again. The login at "work" has expired at the provider or was revoked. Call `login` with provider "work" to log in again.',
    );
  });
});
