import { describe, expect, it } from 'vitest';
import type { SessionRef } from './ids.js';
import { DEFAULT_LIFETIMES, idleAtMs, type Lifetimes, nextDue } from './lifetimes.js';
import type { Presence } from './presence.js';
import type { AccountRecord, SessionRecord } from './session-record.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const lifetimes: Lifetimes = {
  idleMs: 100,
  absoluteMs: 1000,
  disconnectGraceMs: 10,
  loginAttemptMs: 50,
  connectionTtlMs: 5000,
  shutdownDrainMs: 1,
};
const absent: Presence = { openStreams: 0, requests: 0 };
const present: Presence = { openStreams: 1, requests: 0 };
const account: AccountRecord = {
  provider: 'idp',
  state: 'authenticated',
  generation: 1,
  grantId: 1,
  subject: 'alice',
  scopes: [],
  hasRefreshToken: true,
};

function connection(fields: Partial<SessionRecord> = {}): SessionRecord {
  return {
    // The brand is given by `ids` only; here any text will do.
    ref: 'ref' as SessionRef,
    version: 1,
    kind: 'connection',
    owner: 'anonymous',
    quotaKey: '',
    createdAtMs: 0,
    lastRequestAtMs: 0,
    dueAtMs: Number.POSITIVE_INFINITY,
    epoch: 0,
    generation: 0,
    accounts: {},
    ...fields,
  };
}

function signedIn(fields: Partial<SessionRecord> = {}): SessionRecord {
  return connection({ accounts: { idp: account }, signedInAtMs: 0, ...fields });
}

const due = (record: SessionRecord, presence: Presence = absent) => nextDue(record, presence, lifetimes);

describe('the lifetimes', () => {
  it('have the defaults of the security requirements [security 35]', () => {
    expect(DEFAULT_LIFETIMES).toEqual({
      idleMs: 30 * MINUTE,
      absoluteMs: 12 * HOUR,
      disconnectGraceMs: 2 * MINUTE,
      loginAttemptMs: 10 * MINUTE,
      connectionTtlMs: 24 * HOUR,
      shutdownDrainMs: 10_000,
    });
  });
});

describe('a session without a login', () => {
  it('ends when its client was not active for long enough [security 34]', () => {
    const record = connection({ lastRequestAtMs: 7 });
    expect(due(record)).toEqual({ action: 'end', reason: 'connection_expired', atMs: 5007 });
    expect(due(record, { openStreams: 0, requests: 0, presentUntilMs: 20 }).atMs).toBe(5020);
  });

  it('is nothing while its client is present [security 36]', () => {
    expect(due(connection(), present).atMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('is not to sign it out, not even after a disconnect', () => {
    const gone = { openStreams: 0, requests: 0, presentUntilMs: 5, disconnectedAtMs: 5 };
    expect(due(connection(), gone)).toEqual({ action: 'end', reason: 'connection_expired', atMs: 5005 });
  });

  it('is to end a pending handle whose login is not finished in time, present or not [security 35]', () => {
    const pending = connection({ kind: 'pending-handle', lastRequestAtMs: 3 });
    const expected = { action: 'end', reason: 'login_expired', atMs: 53 };
    expect(due(pending)).toEqual(expected);
    expect(due(pending, present)).toEqual(expected);
  });
});

describe('what time does to a login', () => {
  it('is to sign it out when it is idle [security 34]', () => {
    expect(due(signedIn({ lastRequestAtMs: 30 }))).toEqual({ action: 'sign-out', reason: 'idle', atMs: 130 });
    expect(idleAtMs(signedIn({ lastRequestAtMs: 30 }), absent, lifetimes)).toBe(130);
  });

  it('counts idleness from the last request, stream or login, whichever came last [security 34]', () => {
    const record = signedIn({ lastRequestAtMs: 30, signedInAtMs: 40 });
    expect(due(record).atMs).toBe(140);
    expect(due(record, { openStreams: 0, requests: 0, presentUntilMs: 60 }).atMs).toBe(160);
    expect(due(record, { openStreams: 0, requests: 0, presentUntilMs: 20 }).atMs).toBe(140);
  });

  it('is to sign it out at the end of its absolute lifetime, counted from the login [security 36]', () => {
    const record = signedIn({ createdAtMs: 1, signedInAtMs: 40 });
    expect(due(record, present)).toEqual({ action: 'sign-out', reason: 'absolute', atMs: 1040 });
    expect(idleAtMs(record, present, lifetimes)).toBeUndefined();
    const busy = signedIn({ signedInAtMs: 40, lastRequestAtMs: 1000 });
    expect(due(busy)).toMatchObject({ reason: 'absolute', atMs: 1040 });
  });

  it('counts the absolute lifetime from the start of the session where no login is noted', () => {
    const record = signedIn({ createdAtMs: 9, signedInAtMs: undefined });
    expect(due(record, present)).toMatchObject({ reason: 'absolute', atMs: 1009 });
  });

  it('is signed out when its client was disconnected for the grace [security 35, 36]', () => {
    const gone = { openStreams: 0, requests: 0, presentUntilMs: 60, disconnectedAtMs: 60 };
    const expected = { action: 'sign-out', reason: 'disconnect', atMs: 70 };
    expect(due(signedIn(), gone)).toEqual(expected);
    expect(due(signedIn({ lastRequestAtMs: 60 }), gone)).toEqual(expected);
    expect(due(signedIn({ signedInAtMs: 80 }), gone)).toMatchObject({ reason: 'disconnect', atMs: 90 });
    expect(due(signedIn({ lastRequestAtMs: 61 }), gone)).toMatchObject({ reason: 'idle', atMs: 161 });
  });
});
