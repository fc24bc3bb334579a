import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../../../test/support/seeded-random.js';
import { SessionBench } from '../../../../../test/support/session-bench.js';
import { SessionError } from '../../errors.js';
import type { SessionRef } from '../../session/ids.js';
import { type InternalEvent, SessionEvents } from '../../session/session-events.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Deadlines } from '../../time/deadlines.js';
import { RefreshScheduler } from './scheduler.js';

const SECOND = 1000;
/** References of sessions that exist nowhere else. */
const [ref, other] = ['one', 'other'] as unknown as [SessionRef, SessionRef];
const failure = (code: 'provider_unavailable' | 'reauthentication_required' | 'store_unavailable') =>
  Promise.reject(new SessionError(code, 'the reason'));

const ofAccount = { ref, epoch: 0, provider: 'idp', subject: 'alice' };

/** The events that decide when an account is to be refreshed. */
type Planning = Extract<
  InternalEvent,
  { type: 'account.authenticated' | 'account.refreshed' | 'account.moved' }
>;

function setUp(refreshed: () => Promise<void> = () => Promise.resolve()) {
  const clock = new VirtualClock();
  const fail = (error: unknown) => {
    throw error;
  };
  const events = new SessionEvents(fail);
  const deadlines = new Deadlines(clock, fail);
  const calls: string[] = [];
  const scheduler = new RefreshScheduler({
    clock,
    deadlines,
    refresh: (session, provider, generation) => {
      calls.push(`${session} ${provider} ${generation} at ${clock.now() / SECOND}`);
      return refreshed();
    },
  });
  events.subscribe((event) => scheduler.handleEvent(event));
  const emit = (fields: Partial<Planning> = {}) =>
    events.emit({
      type: 'account.refreshed',
      ...ofAccount,
      generation: 1,
      refreshAtMs: 60 * SECOND,
      ...fields,
    });
  const emitFailed = (refreshAtMs: number) =>
    events.emit({
      type: 'account.refresh_failed',
      ...ofAccount,
      generation: 1,
      failureReason: 'provider_unavailable',
      refreshAtMs,
    });
  return { clock, events, deadlines, calls, emit, emitFailed };
}

describe('the scheduler', () => {
  it.each(['account.authenticated', 'account.refreshed', 'account.moved'] as const)(
    'refreshes an account once, when it is due: %s',
    async (type) => {
      const { clock, deadlines, calls, emit } = setUp();
      emit({ type });
      await clock.advance(60 * SECOND - 1);
      expect(calls).toEqual([]);
      await clock.advance(1);
      expect(calls).toEqual(['one idp 1 at 60']);
      await clock.advance(600 * SECOND);
      expect(calls).toHaveLength(1);
      expect(deadlines.size).toBe(0);
    },
  );

  it('goes by the latest event about an account', async () => {
    const { clock, deadlines, calls, emit } = setUp();
    emit({ refreshAtMs: 10 * SECOND });
    emit({ refreshAtMs: 90 * SECOND, generation: 2 });
    emit({ refreshAtMs: 30 * SECOND, generation: 3 });
    expect(deadlines.size).toBe(1);
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one idp 3 at 30']);
  });

  it('keeps the accounts of a session, and sessions, apart', async () => {
    const { clock, events, calls, emit } = setUp();
    emit();
    emit({ provider: 'second', generation: 2, refreshAtMs: 70 * SECOND });
    emit({ ref: other, refreshAtMs: 80 * SECOND });
    events.emit({ type: 'account.removed', ...ofAccount });
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one second 2 at 70', 'other idp 1 at 80']);
  });

  it('tries again at the time that a failed refresh was put off to [security 20]', async () => {
    const { clock, calls, emit, emitFailed } = setUp(() => {
      if (calls.length === 1) emitFailed(95 * SECOND);
      return calls.length === 1 ? failure('provider_unavailable') : Promise.resolve();
    });
    emit();
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one idp 1 at 60', 'one idp 1 at 95']);
  });

  it('comes back at the end of an account that cannot be renewed', async () => {
    const { clock, events, calls, emit } = setUp();
    emit();
    await clock.advance(60 * SECOND);
    const event = { type: 'account.expires_soon', ...ofAccount, generation: 1 } as const;
    events.emit({ ...event, expiresAtMs: 120 * SECOND });
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one idp 1 at 60', 'one idp 1 at 120']);
  });

  it.each<InternalEvent>([
    { type: 'account.removed', ...ofAccount },
    { type: 'account.reauthentication_required', ...ofAccount, failureReason: 'grant_revoked' },
    { type: 'session.signed_out', ref, epoch: 0, reason: 'logout' },
    { type: 'session.ended', ref, epoch: 0, reason: 'deleted' },
    { type: 'account.refreshed', ...ofAccount, generation: 2, refreshAtMs: undefined },
  ])('forgets an account that is gone, or needs no refresh: $type', async (event) => {
    const { clock, deadlines, events, calls, emit } = setUp();
    emit();
    if (event.type.startsWith('session.')) emit({ provider: 'second', generation: 2 });
    events.emit(event);
    expect(deadlines.size).toBe(0);
    await clock.advance(600 * SECOND);
    expect(calls).toEqual([]);
  });

  it.each<[string, () => Promise<void>]>([
    ['the session store did not answer', () => failure('store_unavailable')],
    ['of something unforeseen', () => Promise.reject(new Error('?'))],
  ])('tries again after five seconds when a refresh failed because %s', async (_why, fail) => {
    const { clock, calls, emit } = setUp(() => (calls.length < 3 ? fail() : Promise.resolve()));
    emit();
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one idp 1 at 60', 'one idp 1 at 65', 'one idp 1 at 70']);
  });

  it('does not if a newer event has set another time', async () => {
    const { clock, calls, emit } = setUp(() => {
      if (calls.length > 1) return Promise.resolve();
      emit({ generation: 2, refreshAtMs: 300 * SECOND });
      return failure('store_unavailable');
    });
    emit();
    await clock.advance(600 * SECOND);
    expect(calls).toEqual(['one idp 1 at 60', 'one idp 2 at 300']);
  });

  it.each(['provider_unavailable', 'reauthentication_required'] as const)(
    'does not press on by itself after a failure that an event tells of: %s',
    async (code) => {
      const { clock, calls, emit } = setUp(() => failure(code));
      emit();
      await clock.advance(600 * SECOND);
      expect(calls).toEqual(['one idp 1 at 60']);
    },
  );
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
