import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../../../test/support/seeded-random.js';
import { SessionBench } from '../../../../../test/support/session-bench.js';
import { SessionError } from '../../errors.js';
import { DueSessions } from '../../session/due-sessions.js';
import type { SessionRef } from '../../session/ids.js';
import { type AccountRecord, blankRecord, type SessionRecord } from '../../session/session-record.js';
import { SessionTable } from '../../store/table/session-table.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { RefreshScheduler } from './scheduler.js';

const SECOND = 1000;
/** References of sessions that exist nowhere else. */
const [ref, other] = ['one', 'other'] as unknown as [SessionRef, SessionRef];
const failure = (code: 'provider_unavailable' | 'reauthentication_required' | 'store_unavailable') =>
  Promise.reject(new SessionError(code, 'the reason'));

const account = (fields: Partial<AccountRecord> = {}): AccountRecord => ({
  provider: 'idp',
  state: 'authenticated',
  generation: 1,
  grantId: 1,
  subject: 'alice',
  scopes: [],
  hasRefreshToken: true,
  refreshAtMs: 60 * SECOND,
  ...fields,
});

function setUp(refreshed: () => Promise<void> = () => Promise.resolve()) {
  const clock = new VirtualClock();
  const fail = (error: unknown) => {
    throw error;
  };
  const store = new SessionTable({ clock, isPresent: () => false });
  const due = new DueSessions({ store, clock, onError: fail });
  const calls: string[] = [];
  const scheduler = new RefreshScheduler({
    clock,
    refresh: (session, provider, generation) => {
      calls.push(`${session} ${provider} ${generation} at ${clock.now() / SECOND}`);
      return refreshed();
    },
  });
  due.add(scheduler);
  due.start();
  const withDue = (record: SessionRecord) => ({ ...record, dueAtMs: due.next(record) });
  /** Sets the accounts of a session; starts it before the first time. */
  const set = (accounts: readonly AccountRecord[], { of = ref, kind = 'connection' as const } = {}) => {
    const blank = blankRecord(of, kind, 'anonymous', 0);
    const before = store.get(of) ?? blank;
    const byProvider = Object.fromEntries(accounts.map((each) => [each.provider, each]));
    const after = withDue({ ...before, accounts: byProvider, version: before.version + 1 });
    if (!store.replace(after, before.version)) store.insert(after, { maxSessions: 10, maxAnonymous: 10 });
  };
  return { clock, store, scheduler, calls, set };
}

describe('the scheduler', () => {
  it('refreshes an account when it is due, and not again once it has changed', async () => {
    const { clock, calls, set } = setUp(() => {
      set([account({ generation: 2, refreshAtMs: undefined })]);
      return Promise.resolve();
    });
    set([account()]);
    await clock.advance(60 * SECOND - 1);
    expect(calls).toEqual([]);
    await clock.advance(1);
    expect(calls).toEqual(['one idp 1 at 60']);
    await clock.advance(600 * SECOND);
    expect(calls).toHaveLength(1);
    expect(clock.timers).toBe(0);
  });

  it('goes by the latest record of an account', async () => {
    const { clock, calls, set } = setUp(() => {
      set([]);
      return Promise.resolve();
    });
    set([account({ refreshAtMs: 10 * SECOND })]);
    set([account({ refreshAtMs: 90 * SECOND, generation: 2 })]);
    set([account({ refreshAtMs: 30 * SECOND, generation: 3 })]);
    expect(clock.timers).toBe(1);
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one idp 3 at 30']);
  });

  it('keeps the accounts of a session, and sessions, apart', async () => {
    const { clock, store, calls, set } = setUp();
    set([account({ refreshAtMs: 61 * SECOND }), account({ provider: 'second', refreshAtMs: 70 * SECOND })]);
    set([account({ refreshAtMs: 80 * SECOND })], { of: other });
    await clock.advance(65 * SECOND);
    set([account({ provider: 'second', refreshAtMs: 70 * SECOND })]);
    await clock.advance(5 * SECOND);
    store.take(ref, 'deleted');
    await clock.advance(10 * SECOND);
    expect(calls).toEqual(['one idp 1 at 61', 'one second 1 at 70', 'other idp 1 at 80']);
  });

  it('tries again at the time that a failed refresh was put off to [security 20]', async () => {
    const { clock, calls, set } = setUp(() => {
      set([account({ refreshAtMs: calls.length === 1 ? 95 * SECOND : undefined })]);
      return failure('provider_unavailable');
    });
    set([account()]);
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one idp 1 at 60', 'one idp 1 at 95']);
  });

  it('comes back at the end of an account that cannot be renewed', async () => {
    const unrenewable = { hasRefreshToken: false, expiresAtMs: 120 * SECOND };
    const { clock, calls, set } = setUp(() => {
      set(calls.length === 1 ? [account({ ...unrenewable, isExpiryAnnounced: true })] : []);
      return Promise.resolve();
    });
    set([account(unrenewable)]);
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one idp 1 at 60', 'one idp 1 at 120']);
  });

  it('leaves accounts alone that need no refresh, a new login, or a session handle first', () => {
    const { scheduler } = setUp();
    const dueOf = (fields: Partial<AccountRecord>, kind: SessionRecord['kind'] = 'connection') =>
      scheduler.dueAtMs({ ...blankRecord(ref, kind, 'anonymous', 0), accounts: { idp: account(fields) } });
    expect(dueOf({}, 'handle')).toBe(60 * SECOND);
    expect(dueOf({}, 'pending-handle')).toBeUndefined();
    expect(dueOf({ refreshAtMs: undefined })).toBeUndefined();
    expect(dueOf({ state: 'reauthentication_required' })).toBeUndefined();
    expect(dueOf({ claim: { id: 1, untilMs: 70 * SECOND } })).toBe(70 * SECOND);
  });

  it.each<[string, () => Promise<void>]>([
    ['the session store did not answer', () => failure('store_unavailable')],
    ['of something unforeseen', () => Promise.reject(new Error('?'))],
  ])('tries again after five seconds when a refresh failed because %s', async (_why, fail) => {
    const { clock, calls, set } = setUp(() => {
      if (calls.length < 3) return fail();
      set([]);
      return Promise.resolve();
    });
    set([account()]);
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one idp 1 at 60', 'one idp 1 at 65', 'one idp 1 at 70']);
  });
});

describe('a session with scheduled refreshes', () => {
  const seeded = (seed: number) => ({ scheduler: true, random: new SeededRandom(seed).bytes });

  it('announces the end of a login without refresh token, and requires a new one then', async () => {
    const bench = new SessionBench(seeded(1));
    const { record } = await bench.registry.start('connection', 'anonymous');
    const snapshot = { ref: record.ref, epoch: 0 };
    const granted = bench.provider.grant('alice');
    const tokens = { ...granted.tokens, refreshToken: undefined };
    await bench.accounts.commitLogin(snapshot, 'idp', { ...granted, tokens });
    // 20 % of ten minutes, and ten per cent of jitter.
    await bench.clock.advance(467 * SECOND);
    expect(bench.eventsOf('account.expires_soon')).toEqual([]);
    await bench.clock.advance(26 * SECOND);
    expect(bench.eventsOf('account.expires_soon')).toEqual([
      {
        type: 'account.expires_soon',
        ref: record.ref,
        epoch: 0,
        provider: 'idp',
        subject: 'alice',
        generation: 1,
        expiresAtMs: 600 * SECOND,
      },
    ]);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
    await bench.clock.advance(106 * SECOND);
    expect(bench.eventsOf('account.reauthentication_required')).toEqual([]);
    await bench.clock.advance(2 * SECOND);
    expect(bench.eventsOf('account.reauthentication_required')).toMatchObject([
      { provider: 'idp', failureReason: 'no_refresh_token' },
    ]);
    expect(bench.provider.presented).toEqual([]);
  });

  it('is not refreshed any more after its logout [security 22]', async () => {
    const bench = new SessionBench(seeded(2));
    const { record } = await bench.loggedIn('alice');
    await bench.registry.signOut(record.ref, 'logout');
    await bench.clock.advance(20 * 60 * SECOND);
    expect(bench.provider.presented).toEqual([]);
  });
});
