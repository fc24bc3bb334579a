import { describe, expect, it } from 'vitest';
import { MapSessionStore } from '../store/map-session-store.js';
import { SessionBench, type SessionBenchOptions } from '../testing/session-bench.js';
import type { Secret } from '../vault/secret.js';
import type { RefreshOutcome } from './granted-tokens.js';

async function setUp(options: SessionBenchOptions = {}) {
  const bench = new SessionBench(options);
  const { record, lease } = await bench.loggedIn('alice');
  const account = async () => (await bench.registry.get(record.ref))?.accounts.idp;
  const refresh = (generation = 1) => bench.refreshes.refresh(record.ref, 'idp', generation);
  return { bench, record, lease, account, refresh };
}

/** Answers every refresh alike, and remembers the tokens it was shown. */
function answering(outcome: RefreshOutcome) {
  const shown: Secret[] = [];
  const refreshTokens = (_provider: string, refreshToken: Secret) => {
    shown.push(refreshToken);
    return Promise.resolve(outcome);
  };
  return { shown, refreshTokens };
}

describe('a refresh that is granted', () => {
  it('replaces the tokens under the next generation, and wipes the old ones [security 19, 31]', async () => {
    const { bench, record, account, refresh } = await setUp();
    const before = await account();
    await bench.clock.advance(500_000);
    await refresh();
    const after = await account();
    expect(after).toMatchObject({ generation: 2, subject: 'alice', expiresAtMs: 1_100_000 });
    expect(before?.sealed?.bytes.every((byte) => byte === 0)).toBe(true);
    expect(bench.eventsOf('account.refreshed')).toEqual([
      {
        type: 'account.refreshed',
        ref: record.ref,
        provider: 'idp',
        generation: 2,
        refreshAtMs: after?.refreshAtMs,
      },
    ]);
  });

  it('keeps the scopes and the lifetime that were, unless the provider says others', async () => {
    const { bench, lease, account, refresh } = await setUp();
    const grant = (fields: object) => bench.provider.grant('alice', fields);
    await bench.accounts.commitLogin(lease, 'idp', grant({ scopes: ['a', 'b'], expiresInSeconds: 1000 }));
    bench.provider.holds = true;
    const answers = [{ scopes: undefined, expiresInSeconds: undefined }, { scopes: ['a'] }];
    const seen: unknown[] = [];
    for (const [index, fields] of answers.entries()) {
      const refreshed = refresh(2 + index);
      await bench.clock.advance(0);
      bench.provider.held[index]?.answer({ kind: 'granted', granted: grant(fields) });
      await refreshed;
      const { scopes, lifetimeMs } = (await account()) ?? {};
      seen.push([scopes, lifetimeMs]);
    }
    expect(seen).toEqual([
      [['a', 'b'], 1_000_000],
      [['a'], 600_000],
    ]);
  });

  it('leaves no secret behind that it was done with [security 31]', async () => {
    const bench = new SessionBench();
    const { shown, refreshTokens } = answering({ kind: 'granted', granted: bench.provider.grant('alice') });
    const { refresh } = await setUp({ refreshTokens });
    await refresh();
    expect(shown).toHaveLength(1);
    expect(() => shown[0]?.reveal()).toThrow('wiped');
  });

  it('is revoked when the store does not take it in [security 22]', async () => {
    const store = new MapSessionStore();
    const { bench, refresh } = await setUp({ store });
    store.replace = () => Promise.reject(new Error('down'));
    const refreshed = refresh().catch((error: unknown) => error);
    await bench.clock.advance(1000);
    expect(await refreshed).toMatchObject({ code: 'store_unavailable' });
    expect(bench.provider.revoked).toEqual(['refresh-alice-2', 'access-alice-2']);
  });

  it('is revoked when its account was given up meanwhile [security 22]', async () => {
    const { bench, record, account, refresh } = await setUp();
    bench.provider.holds = true;
    const refreshed = refresh();
    await bench.clock.advance(0);
    const current = await bench.registry.get(record.ref);
    const given = current?.accounts.idp;
    if (current && given) await bench.refreshes.giveUp(current, given, 'tokens_unreadable');
    bench.provider.revoked.length = 0;
    bench.provider.held[0]?.answer({ kind: 'granted', granted: bench.provider.grant('alice') });
    await refreshed;
    expect(bench.provider.revoked).toEqual(['refresh-alice-2', 'access-alice-2']);
    expect(await account()).toMatchObject({ state: 'reauthentication_required', sealed: undefined });
  });
});

describe('a refresh whose answer from the store was lost', () => {
  it('counts as done if it was done, and revokes nothing [security 19]', async () => {
    const store = new MapSessionStore();
    const { bench, lease, account, refresh } = await setUp({ store });
    const replace = store.replace.bind(store);
    let losses = 1;
    store.replace = async (next) => {
      const isReplaced = await replace(next);
      if (losses-- > 0) throw new Error('lost');
      return isReplaced;
    };
    const refreshed = refresh();
    await bench.clock.advance(1000);
    await refreshed;
    expect(await account()).toMatchObject({ generation: 2 });
    expect(await bench.accessToken(lease)).toBe('access-alice-2');
    expect(bench.provider.revoked).toEqual([]);
  });
});

describe('a refresh that has nothing to do', () => {
  it('does nothing: another generation, another session, an account given up, no refresh token', async () => {
    const { bench, record, lease, refresh } = await setUp();
    const other = await bench.registry.start('connection', 'holder');
    await refresh(0);
    await refresh(2);
    await bench.refreshes.refresh(other.record.ref, 'idp', 1);
    await bench.registry.end(other.record.ref, 'deleted');
    await bench.refreshes.refresh(other.record.ref, 'idp', 1);

    const granted = bench.provider.grant('alice');
    const tokens = { ...granted.tokens, refreshToken: undefined };
    await bench.accounts.commitLogin(lease, 'idp', { ...granted, tokens });
    await refresh(2);

    const current = await bench.registry.get(record.ref);
    const account = current?.accounts.idp;
    if (current && account) await bench.refreshes.giveUp(current, account, 'grant_revoked');
    await refresh(2);
    expect(bench.provider.presented).toEqual([]);
  });

  it('does not present a token that cannot be read', async () => {
    const { bench, account, refresh } = await setUp();
    bench.tokens.wipe(await account());
    await refresh();
    expect(bench.provider.presented).toEqual([]);
  });
});

describe('refreshes', () => {
  it('of two accounts of a session go on side by side [security 17]', async () => {
    const { bench, record, lease, refresh } = await setUp();
    await bench.accounts.commitLogin(lease, 'other', bench.provider.grant('bob'));
    bench.provider.holds = true;
    const both = Promise.all([refresh(1), bench.refreshes.refresh(record.ref, 'other', 2)]);
    await bench.clock.advance(0);
    expect(bench.provider.presented).toEqual(['refresh-alice-1', 'refresh-bob-2']);
    for (const { refreshToken, answer } of bench.provider.held) answer(bench.provider.granted(refreshToken));
    await both;
  });

  it('can be waited for, however they end', async () => {
    const { bench, refresh } = await setUp();
    bench.provider.holds = true;
    const refreshed = refresh().catch(() => 'failed');
    await bench.clock.advance(0);
    let isSettled = false;
    const settled = bench.refreshes.settled().then(() => {
      isSettled = true;
    });
    await bench.clock.advance(0);
    expect(isSettled).toBe(false);
    bench.provider.held[0]?.answer({ kind: 'grant_revoked' });
    await settled;
    expect(await refreshed).toBe('failed');
  });
});

describe('a refresh that fails', () => {
  const cause = new Error('the reason');

  it.each([
    [{ kind: 'grant_revoked' }, 'grant_revoked'],
    [{ kind: 'lost', cause }, 'refresh_lost'],
  ] as const)(
    'for good (%o) gives the account up, and its tokens are gone [security 20, 21]',
    async (outcome, trouble) => {
      const { refreshTokens } = answering(outcome);
      const { bench, record, account, refresh } = await setUp({ refreshTokens });
      const before = await account();
      await expect(refresh()).rejects.toMatchObject({ code: 'reauthentication_required' });
      expect(await account()).toMatchObject({
        state: 'reauthentication_required',
        trouble,
        hasRefreshToken: false,
        sealed: undefined,
        expiresAtMs: undefined,
        refreshAtMs: undefined,
      });
      expect(before?.sealed?.bytes.every((byte) => byte === 0)).toBe(true);
      expect(bench.eventsOf('account.reauthentication_required')).toEqual([
        { type: 'account.reauthentication_required', ref: record.ref, provider: 'idp', trouble },
      ]);
    },
  );

  it('for now leaves the account as it is, notes why, and passes on when to try again [security 20]', async () => {
    const { refreshTokens } = answering({ kind: 'unavailable', retryAfterSeconds: 7, cause });
    const { bench, record, lease, account, refresh } = await setUp({ refreshTokens });
    await expect(refresh()).rejects.toMatchObject({
      code: 'provider_unavailable',
      retryAfterSeconds: 7,
      cause,
    });
    expect(await account()).toMatchObject({ state: 'authenticated', trouble: 'provider_unavailable' });
    expect(await bench.accessToken(lease)).toBe('access-alice-1');
    expect(bench.eventsOf('account.refresh_failed')).toEqual([
      {
        type: 'account.refresh_failed',
        ref: record.ref,
        provider: 'idp',
        generation: 1,
        trouble: 'provider_unavailable',
        refreshAtMs: bench.clock.now() + 7000,
      },
    ]);
  });

  it.each(['unavailable', 'lost', 'grant_revoked'] as const)(
    'after another login (%s) changes nothing of that [security 15, 21]',
    async (kind) => {
      const code = kind === 'unavailable' ? 'provider_unavailable' : 'reauthentication_required';
      const { bench, lease, account, refresh } = await setUp();
      bench.provider.holds = true;
      const refreshed = refresh().catch((error: unknown) => error);
      await bench.clock.advance(0);
      await bench.accounts.commitLogin(lease, 'idp', bench.provider.grant('bob'));
      const after = await account();
      bench.provider.held[0]?.answer({ kind, retryAfterSeconds: undefined, cause });
      expect(await refreshed).toMatchObject({ code });
      expect(await account()).toEqual(after);
      expect(await bench.accessToken(lease)).toBe('access-bob-2');
      expect(bench.eventsOf('account.reauthentication_required')).toEqual([]);
    },
  );

  it('after the logout of that account changes nothing', async () => {
    const { bench, record, lease, refresh } = await setUp();
    await bench.accounts.commitLogin(lease, 'other', bench.provider.grant('bob'));
    bench.provider.holds = true;
    const refreshed = refresh().catch(() => undefined);
    await bench.clock.advance(0);
    await bench.accounts.remove(record.ref, 'idp');
    bench.provider.held[0]?.answer({ kind: 'unavailable', retryAfterSeconds: undefined, cause });
    await refreshed;
    expect(Object.keys((await bench.registry.get(record.ref))?.accounts ?? {})).toEqual(['other']);
  });
});

describe('an access token that the API refuses', () => {
  it('is replaced', async () => {
    const { bench, record, lease } = await setUp();
    await bench.refreshes.replaceRefused(record.ref, 'idp', 1);
    expect(await bench.accessToken(lease)).toBe('access-alice-2');
  });

  it('and cannot be replaced makes its account ask for a new login [security 25]', async () => {
    const { bench, record, lease, account } = await setUp();
    const granted = bench.provider.grant('alice');
    const tokens = { ...granted.tokens, refreshToken: undefined };
    await bench.accounts.commitLogin(lease, 'idp', { ...granted, tokens });
    await bench.refreshes.replaceRefused(record.ref, 'idp', 1);
    expect(await account()).toMatchObject({ state: 'authenticated' });
    const replaced = bench.refreshes.replaceRefused(record.ref, 'idp', 2);
    await expect(replaced).rejects.toMatchObject({ code: 'reauthentication_required' });
    expect(await account()).toMatchObject({ trouble: 'no_refresh_token' });
    await bench.refreshes.replaceRefused(record.ref, 'idp', 2);
    await bench.registry.end(record.ref, 'deleted');
    await bench.refreshes.replaceRefused(record.ref, 'idp', 2);
    expect(bench.eventsOf('account.reauthentication_required')).toHaveLength(1);
  });
});
