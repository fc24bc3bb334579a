import { describe, expect, it } from 'vitest';
import { SessionBench } from '../testing/session-bench.js';

const SECOND = 1000;

describe('an access token', () => {
  it('is refreshed once, however many calls find it expired [security 17]', async () => {
    const bench = new SessionBench();
    const { lease } = await bench.loggedIn('alice');
    await bench.clock.advance(601 * SECOND);
    const tokens = await Promise.all(Array.from({ length: 100 }, () => bench.accessToken(lease)));
    expect(new Set(tokens)).toEqual(new Set(['access-alice-2']));
    expect(bench.provider.presented).toEqual(['refresh-alice-1']);
  });

  it('that is about to expire is used while its refresh goes on', async () => {
    const bench = new SessionBench();
    bench.provider.holds = true;
    const { lease } = await bench.loggedIn('alice');
    await bench.clock.advance(540 * SECOND);
    expect(await bench.accessToken(lease)).toBe('access-alice-1');
    expect(bench.provider.held).toHaveLength(1);
    const [refresh] = bench.provider.held;
    refresh?.answer(bench.provider.granted(refresh.refreshToken));
    await bench.refreshes.settled();
    expect(await bench.accessToken(lease)).toBe('access-alice-2');
  });

  it('is refreshed ahead of its expiry without anybody asking, as long as the session lives [security 24]', async () => {
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
    const { record } = await bench.registry.start('connection', 'holder');
    const lease = { ref: record.ref, epoch: 0 };
    const granted = bench.provider.grant('alice', { expiresInSeconds: undefined });
    const tokens = { ...granted.tokens, refreshToken: undefined };
    await bench.accounts.commitLogin(lease, 'idp', { ...granted, tokens });
    await bench.clock.advance(25 * 60 * SECOND);
    expect(await bench.accessToken(lease)).toBe('access-alice-1');
  });

  it('that expires and cannot be refreshed asks for a new login', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'holder');
    const lease = { ref: record.ref, epoch: 0 };
    const granted = bench.provider.grant('alice');
    await bench.accounts.commitLogin(lease, 'idp', {
      ...granted,
      tokens: { ...granted.tokens, refreshToken: undefined },
    });
    await bench.clock.advance(601 * SECOND);
    await expect(bench.accessToken(lease)).rejects.toMatchObject({ code: 'reauthentication_required' });
  });
});

describe('a refresh', () => {
  it('keeps the refresh token when the provider returns none [security 19]', async () => {
    const bench = new SessionBench();
    const { lease } = await bench.loggedIn('alice');
    bench.provider.holds = true;
    for (const round of [1, 2]) {
      await bench.clock.advance(601 * SECOND);
      const token = bench.accessToken(lease);
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

  it('waits until a pending handle has become a session [security 7]', async () => {
    const bench = new SessionBench({ scheduler: true, lifetimes: { loginAttemptMs: 3_600_000 } });
    const { record } = await bench.loggedIn('alice', 'pending-handle');
    await bench.clock.advance(601 * SECOND);
    expect(bench.provider.presented).toEqual([]);
    const pending = await bench.registry.get(record.ref);
    const promoted = pending && (await bench.accounts.promote(pending));
    const lease = { ref: promoted?.record.ref ?? record.ref, epoch: 0 };
    expect(await bench.accessToken(lease)).toBe('access-alice-2');
    expect(bench.provider.presented).toEqual(['refresh-alice-1']);
  });

  it('that the provider refuses wipes this account once, and asks for a new login [security 21]', async () => {
    const bench = new SessionBench({ scheduler: true });
    const { lease } = await bench.loggedIn('alice');
    bench.provider.holds = true;
    await bench.clock.advance(601 * SECOND);
    bench.provider.held[0]?.answer({ kind: 'grant_revoked' });
    await bench.clock.advance(15 * 60 * SECOND);
    await expect(bench.accessToken(lease)).rejects.toMatchObject({ code: 'reauthentication_required' });
    expect(bench.provider.presented).toHaveLength(1);
    expect(bench.eventsOf('account.reauthentication_required')).toHaveLength(1);
  });

  it('that fails keeps the login: it works again as soon as the provider does [security 20]', async () => {
    const bench = new SessionBench({ scheduler: true });
    const { lease, record } = await bench.loggedIn('alice');
    bench.provider.holds = true;
    const outage = setFailing(bench);
    await bench.clock.advance(700 * SECOND);
    outage.check();
    await expect(bench.accessToken(lease)).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect((await bench.registry.get(record.ref))?.accounts.idp).toMatchObject({
      state: 'authenticated',
      trouble: 'provider_unavailable',
    });
    outage.end();
    await bench.clock.advance(120 * SECOND);
    expect(await bench.accessToken(lease)).toMatch(/^access-alice-/);
    expect((await bench.registry.get(record.ref))?.accounts.idp?.trouble).toBeUndefined();
  });

  it.each(['logout', 'end', 'another login'])(
    'overtaken by %s has what it brings revoked, and stores nothing [security 22]',
    async (what) => {
      const bench = new SessionBench();
      const { lease, record } = await bench.loggedIn('alice');
      bench.provider.holds = true;
      await bench.clock.advance(601 * SECOND);
      const call = bench.accessToken(lease).catch((error: unknown) => error);
      await bench.clock.advance(0);
      if (what === 'logout') await bench.registry.signOut(record.ref, 'logout');
      if (what === 'end') await bench.registry.end(record.ref, 'deleted');
      if (what === 'another login')
        await bench.accounts.commitLogin(lease, 'idp', bench.provider.grant('bob'));
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

describe('a login', () => {
  it('that comes back after a sign-out is revoked and not taken in [security 22]', async () => {
    const bench = new SessionBench();
    const { record, lease } = await bench.loggedIn('alice');
    await bench.registry.signOut(record.ref, 'logout');
    const committed = await bench.accounts.commitLogin(lease, 'idp', bench.provider.grant('stale'));
    await bench.disposal.settled();
    expect(committed).toBe(false);
    expect(bench.provider.revoked.filter((token) => token.includes('stale'))).toHaveLength(2);
  });

  it('replaces an older one, whose tokens are revoked', async () => {
    const bench = new SessionBench();
    const { lease } = await bench.loggedIn('alice');
    await bench.accounts.commitLogin(lease, 'idp', bench.provider.grant('alice'));
    await bench.disposal.settled();
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
    expect(await bench.accessToken(lease)).toBe('access-alice-2');
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
