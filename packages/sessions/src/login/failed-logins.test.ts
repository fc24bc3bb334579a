import { describe, expect, it } from 'vitest';
import type { SessionRef } from '../session/ids.js';
import type { LoginFailure } from '../session/session-events.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { digestOf } from '../vault/secret-digest.js';
import { FAILED_LOGIN_KEPT_MS, FailedLogins } from './failed-logins.js';

const MAX_FAILED_LOGINS = 4096;
const REF = 'session' as SessionRef;

function setUp() {
  const clock = new VirtualClock();
  const failedLogins = new FailedLogins(clock);
  const attemptOf = (id: string) => ({ id, snapshot: { ref: REF, epoch: 0 }, provider: 'idp' });
  /** Adds a login whose browser has consented and keeps a cookie. */
  const add = (id: string, failure: LoginFailure = 'expired') => {
    const lastTransaction = {
      stateDigest: digestOf(`state of ${id}`),
      cookieDigest: digestOf(`cookie of ${id}`),
    };
    failedLogins.add({ ...attemptOf(id), lastTransaction }, { failure });
  };
  const addWithoutConsent = (id: string, failure: LoginFailure) =>
    failedLogins.add({ ...attemptOf(id), lastTransaction: undefined }, { failure });
  const find = (id: string) => [
    failedLogins.faultOf(id),
    failedLogins.faultOfCallback(`state of ${id}`, (link) =>
      link === digestOf(id) ? `cookie of ${id}` : undefined,
    ),
  ];
  return { clock, failedLogins, add, addWithoutConsent, find };
}

const FOUND = [{ failure: 'expired' }, { failure: 'expired' }];
const NOT_FOUND = [undefined, undefined];

describe('failed logins, for the browser', () => {
  it('are found by link, and by state together with the cookie', () => {
    const { failedLogins, add, find } = setUp();
    add('one');
    expect(find('one')).toEqual(FOUND);
    expect(find('another')).toEqual(NOT_FOUND);
    expect(failedLogins.faultOfCallback('state of one', () => undefined)).toBeUndefined();
    expect(failedLogins.faultOfCallback('state of one', () => 'cookie of another')).toBeUndefined();
  });

  it('are found by link only if no browser consented', () => {
    const { failedLogins, addWithoutConsent } = setUp();
    addWithoutConsent('one', 'evicted');
    expect(failedLogins.faultOf('one')).toEqual({ failure: 'evicted' });
    expect(failedLogins.faultOfCallback('', () => '')).toBeUndefined();
  });

  it('are deleted after ten minutes', async () => {
    const { clock, add, find } = setUp();
    add('one');
    await clock.advance(FAILED_LOGIN_KEPT_MS - 1);
    expect(find('one')).toEqual(FOUND);
    await clock.advance(1);
    expect(find('one')).toEqual(NOT_FOUND);
  });

  it('are deleted above the limit, the oldest first', () => {
    const { add, find } = setUp();
    for (let count = 0; count <= MAX_FAILED_LOGINS; count++) add(`${count}`);
    expect(find('0')).toEqual(NOT_FOUND);
    expect(find('1')).toEqual(FOUND);
    expect(find(`${MAX_FAILED_LOGINS}`)).toEqual(FOUND);
  });

  it('are deleted when the server closes', () => {
    const { failedLogins, add, find } = setUp();
    add('one');
    failedLogins.clear();
    expect(find('one')).toEqual(NOT_FOUND);
  });
});

describe('a failed login, for the client', () => {
  it.each(['declined', 'evicted', 'browser_mismatch'] as const)('is reported once: %s', (failure) => {
    const { failedLogins, add } = setUp();
    add('one', failure);
    expect(failedLogins.takeUnreported(REF, 'another')).toBeUndefined();
    expect(failedLogins.takeUnreported(REF, 'idp')).toEqual({ failure });
    expect(failedLogins.takeUnreported(REF, 'idp')).toBeUndefined();
  });

  it('is not reported if the client caused it', () => {
    const { failedLogins, add } = setUp();
    add('one', 'superseded');
    expect(failedLogins.takeUnreported(REF, 'idp')).toBeUndefined();
  });
});
