import { describe, expect, it } from 'vitest';
import { ScriptedProvider } from '../../../../test/support/scripted-provider.js';
import { SessionBench, type SessionBenchOptions } from '../../../../test/support/session-bench.js';
import { storeUnavailable } from '../errors.js';
import { VirtualClock } from '../testing/virtual-clock.js';

const SECOND = 1000;

describe('an access token', () => {
  it('is refreshed once, however many calls find it expired [security 17]', async () => {
    const bench = new SessionBench();
    const { snapshot } = await bench.loggedIn('alice');
    await bench.clock.advance(601 * SECOND);
    const tokens = await Promise.all(Array.from({ length: 100 }, () => bench.accessToken(snapshot)));
    expect(new Set(tokens)).toEqual(new Set(['access-alice-2']));
    expect(bench.provider.presented).toEqual(['refresh-alice-1']);
  });

  it('that is about to expire is used while its refresh goes on', async () => {
    const bench = new SessionBench();
    bench.provider.holds = true;
    const { snapshot } = await bench.loggedIn('alice');
    await bench.clock.advance(540 * SECOND);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
    await bench.clock.advance(0);
    expect(bench.provider.held).toHaveLength(1);
    const [refresh] = bench.provider.held;
    refresh?.answer(bench.provider.granted(refresh.refreshToken));
    await bench.refresher.settled();
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
  });

  it('is refreshed before its expiry without a call, as long as the session has a login [security 24]', async () => {
    const bench = new SessionBench({ scheduler: true });
    await bench.loggedIn('alice');
    await bench.clock.advance(29 * 60 * SECOND);
    expect(bench.provider.presented).toEqual(['refresh-alice-1', 'refresh-alice-2', 'refresh-alice-3']);
    await bench.clock.advance(60 * 60 * SECOND);
    expect(bench.eventsOf('session.signed_out').map(({ reason }) => reason)).toEqual(['idle']);
    expect(bench.provider.presented.length).toBeLessThan(5);
  });

  it('without a lifetime and without a refresh token is used until the API refuses it [security 18]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const snapshot = { ref: record.ref, epoch: 0 };
    const granted = bench.provider.grant('alice', { expiresInSeconds: undefined });
    const tokens = { ...granted.tokens, refreshToken: undefined };
    await bench.accounts.commitLogin(snapshot, 'idp', { ...granted, tokens });
    await bench.clock.advance(25 * 60 * SECOND);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
  });

  it('that expires and cannot be refreshed asks for a new login', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const snapshot = { ref: record.ref, epoch: 0 };
    const granted = bench.provider.grant('alice');
    await bench.accounts.commitLogin(snapshot, 'idp', {
      ...granted,
      tokens: { ...granted.tokens, refreshToken: undefined },
    });
    await bench.clock.advance(601 * SECOND);
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'reauthentication_required' });
  });

  it('notes a part of the response to its login that does not conform', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const granted = { ...bench.provider.grant('alice'), nonconformance: 'id_token_invalid' } as const;
    await bench.accounts.commitLogin({ ref: record.ref, epoch: 0 }, 'idp', granted);
    expect(bench.eventsOf('account.nonconforming_answer')).toMatchObject([
      { provider: 'idp', subject: 'alice', nonconformance: 'id_token_invalid' },
    ]);
  });

  it('waits for its refresh in its last second, and not before', async () => {
    const bench = new SessionBench();
    bench.provider.holds = true;
    const { snapshot } = await bench.loggedIn('alice');
    await bench.clock.advance(599 * SECOND - 1);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
    await bench.clock.advance(1);
    const waiting = bench.accessToken(snapshot);
    await bench.clock.advance(0);
    expect(bench.provider.held).toHaveLength(1);
    for (const { refreshToken, answer } of bench.provider.held) answer(bench.provider.granted(refreshToken));
    expect(await waiting).toBe('access-alice-2');
  });

  it('is refreshed from its refresh time on, and not before [security 18]', async () => {
    const bench = new SessionBench();
    const { snapshot, record } = await bench.loggedIn('alice');
    const refreshAtMs = (await bench.registry.get(record.ref))?.accounts.idp?.refreshAtMs ?? 0;
    await bench.clock.advance(refreshAtMs - 1);
    await bench.accessToken(snapshot);
    expect(bench.provider.presented).toEqual([]);
    bench.clock.jump(1);
    await bench.accessToken(snapshot);
    await bench.refresher.settled();
    expect(bench.provider.presented).toEqual(['refresh-alice-1']);
  });

  it('that cannot be refreshed is used to its end, and not beyond', async () => {
    const bench = new SessionBench();
    const { snapshot, record } = await bench.loggedIn('alice');
    const granted = bench.provider.grant('alice');
    const tokens = { ...granted.tokens, refreshToken: undefined };
    await bench.accounts.commitLogin(snapshot, 'idp', { ...granted, tokens });
    await bench.clock.advance(600 * SECOND - 1);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
    await bench.clock.advance(1);
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'reauthentication_required' });
    expect((await bench.registry.get(record.ref))?.accounts.idp?.failureReason).toBe('no_refresh_token');
  });

  it('is refused without a login, and after the end of the session', async () => {
    const bench = new SessionBench();
    const { snapshot, record } = await bench.loggedIn('alice');
    const elsewhere = bench.accounts.accessToken(snapshot, 'other');
    await expect(elsewhere).rejects.toMatchObject({ code: 'login_required' });
    await bench.registry.end(record.ref, 'deleted');
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'signed_out' });
  });

  it('of a session that was signed out is refused with what has become of its login', async () => {
    const bench = new SessionBench();
    const { snapshot } = await bench.loggedIn('alice');
    await bench.registry.signOut(snapshot.ref, 'idle');
    const record = await bench.registry.get(snapshot.ref);
    const reading = bench.accessToken({ ...snapshot, epoch: record?.epoch ?? 0 });
    await expect(reading).rejects.toMatchObject({
      code: 'login_required',
      message: expect.stringMatching(/^The login here has ended: it was not used for too long\./),
    });
  });

  it('that cannot be read any more asks for a new login', async () => {
    const bench = new SessionBench();
    const { snapshot, record } = await bench.loggedIn('alice');
    bench.tokens.wipe((await bench.registry.get(record.ref))?.accounts.idp);
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'reauthentication_required' });
    expect(
      bench.eventsOf('account.reauthentication_required').map(({ failureReason }) => failureReason),
    ).toEqual(['tokens_unreadable']);
  });
});

describe('a refresh', () => {
  it('keeps the refresh token when the provider returns none [security 19]', async () => {
    const bench = new SessionBench();
    const { snapshot } = await bench.loggedIn('alice');
    bench.provider.holds = true;
    for (const round of [1, 2]) {
      await bench.clock.advance(601 * SECOND);
      const token = bench.accessToken(snapshot);
      await bench.clock.advance(0);
      const granted = bench.provider.grant('alice');
      bench.provider.held[round - 1]?.answer({
        kind: 'granted',
        granted: { ...granted, tokens: { ...granted.tokens, refreshToken: undefined } },
      });
      await token;
    }
    expect(bench.provider.presented).toEqual(['refresh-alice-1', 'refresh-alice-1']);
  });

  it('of an account that was replaced is not mistaken for one of its successor [security 21]', async () => {
    const bench = new SessionBench();
    const { snapshot } = await bench.loggedIn('alice');
    bench.provider.holds = true;
    await bench.clock.advance(601 * SECOND);
    const call = bench.accessToken(snapshot).catch((error: unknown) => error);
    await bench.clock.advance(0);
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('bob'));
    await bench.clock.advance(601 * SECOND);
    const successor = bench.accessToken({ ...snapshot, epoch: 1 });
    await bench.clock.advance(0);
    const [first, second] = bench.provider.held;
    first?.answer({ kind: 'grant_revoked' });
    if (second) second.answer(bench.provider.granted(second.refreshToken));
    await call;
    expect(await successor).toMatch(/^access-bob-/);
  });

  it('waits until a pending handle has become a session [security 7]', async () => {
    const bench = new SessionBench({ scheduler: true, lifetimes: { loginAttemptMs: 3_600_000 } });
    const { record } = await bench.loggedIn('alice', 'pending-handle');
    await bench.clock.advance(601 * SECOND);
    expect(bench.provider.presented).toEqual([]);
    const pending = await bench.registry.get(record.ref);
    const promoted = pending && (await bench.accounts.promote(pending));
    const snapshot = { ref: promoted?.record.ref ?? record.ref, epoch: 0 };
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
    expect(bench.provider.presented).toEqual(['refresh-alice-1']);
  });

  it('that the provider refuses wipes this account once, and asks for a new login [security 21]', async () => {
    const bench = new SessionBench({ scheduler: true });
    const { snapshot } = await bench.loggedIn('alice');
    bench.provider.holds = true;
    await bench.clock.advance(601 * SECOND);
    bench.provider.held[0]?.answer({ kind: 'grant_revoked' });
    await bench.clock.advance(15 * 60 * SECOND);
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'reauthentication_required' });
    expect(bench.provider.presented).toHaveLength(1);
    expect(bench.eventsOf('account.reauthentication_required')).toHaveLength(1);
  });

  it('that fails keeps the login: it works again as soon as the provider does [security 20]', async () => {
    const bench = new SessionBench({ scheduler: true });
    const { snapshot, record } = await bench.loggedIn('alice');
    bench.provider.holds = true;
    const outage = setFailing(bench);
    await bench.clock.advance(700 * SECOND);
    outage.check();
    const refused = expect(bench.accessToken(snapshot)).rejects.toMatchObject({
      code: 'provider_unavailable',
    });
    // If a refresh is in flight, the call waits for its outcome.
    await bench.clock.advance(30 * SECOND);
    await refused;
    expect((await bench.registry.get(record.ref))?.accounts.idp).toMatchObject({
      state: 'authenticated',
      failureReason: 'provider_unavailable',
    });
    outage.end();
    await bench.clock.advance(120 * SECOND);
    expect(await bench.accessToken(snapshot)).toMatch(/^access-alice-/);
    expect((await bench.registry.get(record.ref))?.accounts.idp?.failureReason).toBeUndefined();
  });

  it.each(['logout', 'end', 'another login'])(
    'overtaken by %s has what it brings revoked, and stores nothing [security 22]',
    async (what) => {
      const bench = new SessionBench();
      const { snapshot, record } = await bench.loggedIn('alice');
      bench.provider.holds = true;
      await bench.clock.advance(601 * SECOND);
      const call = bench.accessToken(snapshot).catch((error: unknown) => error);
      await bench.clock.advance(0);
      if (what === 'logout') await bench.registry.signOut(record.ref, 'logout');
      if (what === 'end') await bench.registry.end(record.ref, 'deleted');
      if (what === 'another login')
        await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('bob'));
      bench.provider.held[0]?.answer({ kind: 'granted', granted: bench.provider.grant('late') });
      await call;
      await bench.disposal.settled();
      expect(bench.provider.revoked.filter((token) => token.includes('late'))).toHaveLength(2);
      expect(bench.provider.revoked).toContain('refresh-alice-1');
      const current = await bench.registry.get(record.ref);
      expect(current?.accounts.idp?.subject).toBe(what === 'another login' ? 'bob' : undefined);
    },
  );
});

describe('an account whose refresh was put off', () => {
  /** Logged in, the provider down, and the access token refused its renewal in its last seconds. */
  async function puttingOff(kind: 'unavailable' | 'refused', retryAfterSeconds: number) {
    let asked = 0;
    let isDown = true;
    const clock = new VirtualClock();
    const provider = new ScriptedProvider(clock);
    const cause = new Error('the reason');
    const bench = new SessionBench({
      clock,
      refreshTokens: (name, token) => {
        asked++;
        return isDown ? Promise.resolve({ kind, retryAfterSeconds, cause }) : provider.refresh(name, token);
      },
    });
    const { snapshot } = await bench.loggedIn('alice');
    await clock.advance(590 * SECOND);
    await bench.accessToken(snapshot);
    await bench.refresher.settled();
    const comeBack = () => {
      isDown = false;
    };
    return { bench, snapshot, asked: () => asked, comeBack };
  }

  it('serves its token until that expires, and not beyond [security 20]', async () => {
    const { bench, snapshot, asked } = await puttingOff('unavailable', 60);
    await bench.clock.advance(10 * SECOND - 1);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
    await bench.clock.advance(1);
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({
      code: 'provider_unavailable',
      retryAfterSeconds: 50,
    });
    expect(asked()).toBe(1);
  });

  it.each([
    ['unavailable', 'provider_unavailable'],
    ['refused', 'provider_refused'],
  ] as const)(
    'refuses calls at once until the next try is due, without asking the provider: %s [security 20]',
    async (kind, code) => {
      const { bench, snapshot, asked, comeBack } = await puttingOff(kind, 60);
      await bench.clock.advance(20 * SECOND);
      const calls = await Promise.allSettled(Array.from({ length: 100 }, () => bench.accessToken(snapshot)));
      for (const call of calls) {
        expect(call).toMatchObject({ status: 'rejected', reason: { code, retryAfterSeconds: 40 } });
      }
      expect(asked()).toBe(1);
      comeBack();
      await bench.clock.advance(40 * SECOND - 1);
      await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code, retryAfterSeconds: 1 });
      await bench.clock.advance(1);
      expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
      expect(asked()).toBe(2);
    },
  );

  it('serves the tokens of another login at once [security 21]', async () => {
    const { bench, snapshot, asked } = await puttingOff('unavailable', 3600);
    await bench.clock.advance(20 * SECOND);
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
    expect(asked()).toBe(1);
  });
});

describe('a login', () => {
  it('that comes back after a sign-out is revoked and not taken in [security 22]', async () => {
    const bench = new SessionBench();
    const { record, snapshot } = await bench.loggedIn('alice');
    await bench.registry.signOut(record.ref, 'logout');
    const committed = await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('stale'));
    await bench.disposal.settled();
    expect(committed).toBeUndefined();
    expect(bench.provider.revoked.filter((token) => token.includes('stale'))).toHaveLength(2);
  });

  it('replaces an older one, whose tokens are revoked', async () => {
    const bench = new SessionBench();
    const { snapshot } = await bench.loggedIn('alice');
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    await bench.disposal.settled();
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
  });

  it('is added to the session, and an event is emitted', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'anonymous');
    await bench.clock.advance(5 * SECOND);
    const snapshot = { ref: record.ref, epoch: 0 };
    const identity = { subject: 'alice', name: 'Alice' };
    const granted = bench.provider.grant('alice', { identity, scopes: ['notes'] });
    expect(await bench.accounts.commitLogin(snapshot, 'idp', granted)).toBe(1);
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('bob'));
    const after = await bench.registry.get(record.ref);
    expect(after).toMatchObject({
      signedInAtMs: 5 * SECOND,
      generation: 2,
      accounts: {
        idp: { state: 'authenticated', generation: 1, subject: 'alice', name: 'Alice', scopes: ['notes'] },
        other: { state: 'authenticated', generation: 2, subject: 'bob', scopes: [] },
      },
    });
    const { refreshAtMs } = after?.accounts.idp ?? {};
    expect(bench.eventsOf('account.authenticated')[0]).toEqual({
      type: 'account.authenticated',
      ref: record.ref,
      epoch: 0,
      provider: 'idp',
      subject: 'alice',
      generation: 1,
      refreshAtMs,
    });
  });

  it('leaves its tokens under seal only [security 31]', async () => {
    const bench = new SessionBench();
    const { snapshot } = await bench.loggedIn('alice');
    const granted = bench.provider.grant('alice');
    await bench.accounts.commitLogin(snapshot, 'idp', granted);
    expect(() => granted.tokens.accessToken.reveal()).toThrow('wiped');
    expect(() => granted.tokens.refreshToken?.reveal()).toThrow('wiped');
  });

  it('without an identity is not taken in', async () => {
    const bench = new SessionBench();
    const { snapshot } = await bench.loggedIn('alice');
    const granted = bench.provider.grant('alice', { identity: undefined });
    await expect(bench.accounts.commitLogin(snapshot, 'idp', granted)).rejects.toThrow('identity');
  });

  it('that the store does not take in is revoked [security 22]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'anonymous');
    bench.store.replace = () => Promise.reject(storeUnavailable(new Error('down')));
    const snapshot = { ref: record.ref, epoch: 0 };
    const login = bench.accounts
      .commitLogin(snapshot, 'idp', bench.provider.grant('alice'))
      .catch((error: unknown) => error);
    await bench.clock.advance(120 * SECOND);
    expect(await login).toMatchObject({ code: 'store_unavailable' });
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
    expect(bench.eventsOf('account.authenticated')).toEqual([]);
  });

  it('has an id of its own, which refreshes and a promotion keep', async () => {
    const bench = new SessionBench();
    const { record, snapshot } = await bench.loggedIn('alice', 'pending-handle');
    const grantOf = async (ref = record.ref) => (await bench.registry.get(ref))?.accounts.idp?.grantId;
    const first = await grantOf();
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    const second = await grantOf();
    expect(new Set([first, second, undefined]).size).toBe(3);
    const pending = await bench.registry.get(record.ref);
    const promoted = pending && (await bench.accounts.promote(pending));
    if (!promoted) throw new Error('The pending handle was not promoted.');
    expect(await grantOf(promoted.record.ref)).toBe(second);
    await bench.refresher.refresh(promoted.record.ref, 'idp', 2);
    expect((await bench.registry.get(promoted.record.ref))?.accounts.idp).toMatchObject({
      generation: 3,
      grantId: second,
    });
  });

  it('takes place once, also if the answer of the store is lost and other changes follow', async () => {
    const bench = new SessionBench();
    const { record, snapshot } = await bench.loggedIn('alice');
    loseAnswer(bench, async () => {
      for (let changes = 0; changes < 10; changes++) await bench.registry.update(record.ref, () => ({}));
    });
    const login = bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    await bench.clock.advance(SECOND);
    expect(await login).toBe(2);
    expect((await bench.registry.get(record.ref))?.generation).toBe(2);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
    expect(bench.eventsOf('account.authenticated')).toHaveLength(2);
  });

  it('of another user signs the former one out, also if the answer is lost and other changes follow', async () => {
    const bench = new SessionBench();
    const { record, snapshot } = await bench.loggedIn('alice');
    const signal = bench.registry.signalOf(snapshot);
    loseAnswer(bench, async () => {
      for (let changes = 0; changes < 10; changes++) await bench.registry.update(record.ref, () => ({}));
    });
    const login = bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('bob'));
    await bench.clock.advance(SECOND);
    expect(await login).toBe(2);
    expect(signal.aborted).toBe(true);
    expect(bench.eventsOf('session.signed_out')).toMatchObject([{ reason: 'other_user' }]);
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
  });
});

describe('a logout from one provider', () => {
  it('wipes and revokes that account, and leaves the others', async () => {
    const bench = new SessionBench();
    const { snapshot, record } = await bench.loggedIn('alice');
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('bob'));
    const report = await bench.accounts.remove(record.ref, 'idp');
    expect(report).toEqual([{ provider: 'idp', revocation: 'confirmed' }]);
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
    expect(Object.keys((await bench.registry.get(record.ref))?.accounts ?? {})).toEqual(['other']);
    expect(bench.eventsOf('account.removed')).toEqual([
      { type: 'account.removed', ref: record.ref, epoch: 0, provider: 'idp', subject: 'alice' },
    ]);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
  });

  it('from the last one signs the session out [security 34]', async () => {
    const bench = new SessionBench();
    const { snapshot, record } = await bench.loggedIn('alice');
    const report = await bench.accounts.remove(record.ref, 'idp');
    expect(report).toEqual([{ provider: 'idp', revocation: 'confirmed' }]);
    expect(bench.eventsOf('session.signed_out').map(({ reason }) => reason)).toEqual(['logout']);
    expect(bench.eventsOf('account.removed')).toEqual([]);
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'signed_out' });
  });

  it('without a login changes nothing', async () => {
    const bench = new SessionBench();
    const { snapshot, record } = await bench.loggedIn('alice');
    expect(await bench.accounts.remove(record.ref, 'other')).toEqual([]);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
    await bench.accounts.commitLogin(snapshot, 'another', bench.provider.grant('bob'));
    expect(await bench.accounts.remove(record.ref, 'other')).toEqual([]);
    await bench.registry.end(record.ref, 'deleted');
    bench.events.length = 0;
    expect(await bench.accounts.remove(record.ref, 'idp')).toEqual([]);
    expect(bench.eventsOf('account.removed')).toEqual([]);
  });
});

describe('a pending handle that becomes a session', () => {
  async function pending(options: SessionBenchOptions = {}) {
    const bench = new SessionBench(options);
    await bench.clock.advance(SECOND);
    const { record, id } = await bench.loggedIn('alice', 'pending-handle');
    const current = await bench.registry.get(record.ref);
    if (!current) throw new Error('The pending handle is gone.');
    return { bench, current, id };
  }

  it('is a handle of the same owner, logged in since the login, counting generations on', async () => {
    const { bench, current } = await pending();
    await bench.clock.advance(5 * SECOND);
    const promoted = await bench.accounts.promote(current);
    expect(promoted?.record).toMatchObject({
      kind: 'handle',
      owner: 'anonymous',
      signedInAtMs: SECOND,
      generation: 1,
      accounts: { idp: { provider: 'idp', generation: 1, subject: 'alice' } },
    });
    const { ref, accounts } = promoted?.record ?? current;
    expect(bench.eventsOf('account.moved')).toEqual([
      {
        type: 'account.moved',
        ref,
        epoch: 0,
        provider: 'idp',
        subject: 'alice',
        generation: 1,
        refreshAtMs: accounts.idp?.refreshAtMs,
      },
    ]);
    expect((await bench.registry.resolve('handle', promoted?.id ?? '')).state).toBe('live');
  });

  it('becomes it once', async () => {
    const { bench, current } = await pending();
    const both = await Promise.all([bench.accounts.promote(current), bench.accounts.promote(current)]);
    expect(both.filter(Boolean)).toHaveLength(1);
    expect(await bench.sessionCount()).toBe(1);
  });

  it('gives its tokens back when the store fails [security 22]', async () => {
    const { bench, current } = await pending();
    bench.store.insert = () => Promise.reject(storeUnavailable(new Error('down')));
    const promoted = bench.accounts.promote(current).catch(() => 'failed');
    await bench.clock.advance(SECOND);
    expect(await promoted).toBe('failed');
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
  });

  it('gives its tokens back when there is no room for another session [security 22]', async () => {
    const { bench, current } = await pending({ maxSessions: 1 });
    const { insert } = bench.store;
    bench.store.insert = (record, limits) => insert.call(bench.store, record, { ...limits, maxSessions: 0 });
    await expect(bench.accounts.promote(current)).rejects.toMatchObject({ code: 'limit_reached' });
    await bench.disposal.settled();
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
  });
});

/** Answers every refresh as an unreachable provider would, until the outage ends. */
function setFailing(bench: SessionBench) {
  const { held } = bench.provider;
  let failing = true;
  let answered = 0;
  const push = held.push.bind(held);
  held.push = (...refreshes) => {
    for (const refresh of refreshes) {
      answered++;
      if (failing) refresh.answer({ kind: 'unavailable', retryAfterSeconds: undefined, cause: undefined });
      else refresh.answer(bench.provider.granted(refresh.refreshToken));
    }
    return push(...refreshes);
  };
  return {
    check: () => expect(answered).toBeGreaterThan(1),
    end: () => {
      failing = false;
    },
  };
}

/** The next change of the store takes place and its answer is lost. @param after what happens before the rejection */
function loseAnswer({ store }: SessionBench, after: () => Promise<void>): void {
  const replace = store.replace.bind(store);
  store.replace = async (next, ifVersion) => {
    store.replace = replace;
    await replace(next, ifVersion);
    await after();
    throw storeUnavailable(new Error('The answer is lost.'));
  };
}
