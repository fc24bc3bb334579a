import { describe, expect, it } from 'vitest';
import { portsWith } from '../../../../../test/support/ports-with.js';
import { ScriptedProvider } from '../../../../../test/support/scripted-provider.js';
import { SessionBench, type SessionBenchOptions } from '../../../../../test/support/session-bench.js';
import { storeUnavailable } from '../../errors.js';
import { accountHealth } from '../../session/account-health.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { systemRandom } from '../../vault/random.js';
import type { Secret } from '../../vault/secret.js';
import { accountStatus } from '../account-status.js';
import type { GrantedTokens, RefreshOutcome, RefreshTokens } from './granted-tokens.js';

async function setUp(options: SessionBenchOptions = {}) {
  const bench = new SessionBench(options);
  const { record, snapshot } = await bench.loggedIn('alice');
  const account = async () => (await bench.registry.get(record.ref))?.accounts.idp;
  const refresh = (generation = 1) => bench.refresher.refresh(record.ref, 'idp', generation);
  return { bench, record, snapshot, account, refresh };
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
        epoch: 0,
        provider: 'idp',
        subject: 'alice',
        generation: 2,
        refreshAtMs: after?.refreshAtMs,
      },
    ]);
  });

  it('keeps the scopes and the lifetime that were, unless the provider says others', async () => {
    const { bench, snapshot, account, refresh } = await setUp();
    const grant = (fields: object) => bench.provider.grant('alice', fields);
    await bench.accounts.commitLogin(snapshot, 'idp', grant({ scopes: ['a', 'b'], expiresInSeconds: 1000 }));
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

  it('is committed as soon as the store answers, within a minute [security 19]', async () => {
    const { bench, snapshot, account, refresh } = await setUp();
    const replace = bench.store.replace.bind(bench.store);
    bench.provider.holds = true;
    const refreshed = refresh();
    await bench.clock.advance(0);
    bench.store.replace = () => Promise.reject(storeUnavailable(new Error('down')));
    bench.provider.held[0]?.answer(bench.provider.granted('refresh-alice-1'));
    await bench.clock.advance(50_000);
    expect(await account()).toMatchObject({ generation: 1 });
    bench.store.replace = replace;
    await bench.clock.advance(2000);
    await refreshed;
    expect(await account()).toMatchObject({ generation: 2, claim: undefined });
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
    expect(bench.provider.revoked).toEqual([]);
  });

  it('is committed although the machine was suspended meanwhile [security 19]', async () => {
    const { bench, account, refresh } = await setUp();
    const replace = bench.store.replace.bind(bench.store);
    bench.provider.holds = true;
    const refreshed = refresh();
    await bench.clock.advance(0);
    let failures = 0;
    bench.store.replace = (...given) => {
      if (++failures > 4) return replace(...given);
      return Promise.reject(storeUnavailable(new Error('down')));
    };
    bench.provider.held[0]?.answer(bench.provider.granted('refresh-alice-1'));
    await bench.clock.advance(0);
    bench.clock.jump(300_000);
    await bench.clock.advance(5000);
    await refreshed;
    expect(await account()).toMatchObject({ generation: 2 });
    expect(bench.provider.presented).toHaveLength(1);
  });

  it('that the store does not commit within a minute is wiped, not revoked, and its old refresh token is not sent again [security 20, 22]', async () => {
    const { bench, account, refresh } = await setUp();
    bench.provider.holds = true;
    const refreshed = refresh().catch((error: unknown) => error);
    await bench.clock.advance(0);
    const replace = bench.store.replace.bind(bench.store);
    bench.store.replace = () => Promise.reject(storeUnavailable(new Error('down')));
    const granted = bench.provider.grant('alice');
    bench.provider.held[0]?.answer({ kind: 'granted', granted });
    await bench.clock.advance(63_000);
    expect(await refreshed).toMatchObject({ code: 'store_unavailable' });
    expect(bench.provider.revoked).toEqual([]);
    expect(() => granted.tokens.accessToken.reveal()).toThrow('wiped');
    bench.store.replace = replace;
    expect((await account())?.claim?.untilMs).toBe(600_000);
    const again = refresh().catch((error: unknown) => error);
    await bench.clock.advance(31_000);
    expect(await again).toMatchObject({ code: 'provider_unavailable' });
    expect(bench.provider.presented).toHaveLength(1);
  });

  it('is revoked when its account was given up meanwhile [security 22]', async () => {
    const { bench, record, account, refresh } = await setUp();
    bench.provider.holds = true;
    const refreshed = refresh();
    await bench.clock.advance(0);
    const current = await bench.registry.get(record.ref);
    const given = current?.accounts.idp;
    if (current && given) await bench.refresher.giveUp(current, given, 'tokens_unreadable');
    await bench.disposal.settled();
    bench.provider.revoked.length = 0;
    bench.provider.held[0]?.answer({ kind: 'granted', granted: bench.provider.grant('alice') });
    await refreshed;
    expect(bench.provider.revoked).toEqual(['refresh-alice-2', 'access-alice-2']);
    expect(await account()).toMatchObject({ state: 'reauthentication_required', sealed: undefined });
  });
});

describe('a refresh whose answer from the store was lost', () => {
  it('counts as done if it was done, and revokes nothing [security 19]', async () => {
    const { bench, snapshot, account, refresh } = await setUp();
    const { store } = bench;
    const replace = store.replace.bind(store);
    let losses = 1;
    store.replace = async (...given) => {
      const isReplaced = await replace(...given);
      if (losses-- > 0) throw storeUnavailable(new Error('lost'));
      return isReplaced;
    };
    const refreshed = refresh();
    await bench.clock.advance(1000);
    await refreshed;
    expect(await account()).toMatchObject({ generation: 2 });
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
    expect(bench.provider.revoked).toEqual([]);
  });
});

describe('a refresh that cannot be claimed because the store does not answer', () => {
  it('says so, and is not sent [security 52, 53]', async () => {
    const { shown, refreshTokens } = answering({ kind: 'grant_revoked' });
    const { bench, snapshot, account, refresh } = await setUp({
      refreshTokens: async (provider, refreshToken, beforeSend) =>
        (await beforeSend()) ? refreshTokens(provider, refreshToken) : { kind: 'unwanted' },
    });
    await bench.clock.advance(601_000);
    const replace = bench.store.replace.bind(bench.store);
    bench.store.replace = () => Promise.reject(storeUnavailable(new Error('down')));
    await expect(refresh()).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'store_unavailable' });
    bench.store.replace = replace;
    expect(shown).toEqual([]);
    expect((await account())?.state).toBe('authenticated');
  });

  it('keeps its claim after a lost answer, so that the token is sent once more at most [security 20, 52]', async () => {
    let sent = 0;
    let isDown = false;
    const { bench, account, refresh } = await setUp({
      scheduler: true,
      refreshTokens: async (_provider, _refreshToken, beforeSend) => {
        isDown = sent === 1;
        const fence = await beforeSend();
        isDown = false;
        if (!fence) return { kind: 'unwanted' };
        sent++;
        return { kind: 'lost', cause: undefined };
      },
    });
    const replace = bench.store.replace.bind(bench.store);
    bench.store.replace = (...change) =>
      isDown ? Promise.reject(storeUnavailable(new Error('down'))) : replace(...change);
    const first = refresh().catch((error: unknown) => error);
    await bench.clock.advance(10_000);
    expect(await first).toMatchObject({ code: 'store_unavailable' });
    expect(sent).toBe(1);
    expect((await account())?.claim).toBeDefined();
  });
});

describe('a refresh after a failover', () => {
  it('is sent when other nodes have had ten seconds to write their claims again [security 52]', async () => {
    const createPorts = portsWith(() => ({ failedOverAtMs: () => 595_000 }));
    const sent: number[] = [];
    const { bench, snapshot, account } = await setUp({
      createPorts,
      refreshTokens: async (_provider, refreshToken, beforeSend) => {
        if (!(await beforeSend())) return { kind: 'unwanted' };
        sent.push(bench.clock.now());
        return bench.provider.granted(refreshToken.reveal());
      },
    });
    await bench.clock.advance(601_000);
    const token = bench.accessToken(snapshot);
    await bench.clock.advance(3999);
    expect(sent).toEqual([]);
    await bench.clock.advance(1);
    await token;
    expect(sent).toEqual([605_000]);
    expect(await account()).toMatchObject({ generation: 2 });
  });
});

describe('a refresh that has nothing to do', () => {
  it('does nothing: another generation, another session, an account given up, no refresh token', async () => {
    const { bench, record, snapshot, refresh } = await setUp();
    const other = await bench.registry.start('connection', 'anonymous');
    await refresh(0);
    await refresh(2);
    await bench.refresher.refresh(other.record.ref, 'idp', 1);
    await bench.registry.end(other.record.ref, 'deleted');
    await bench.refresher.refresh(other.record.ref, 'idp', 1);

    const granted = bench.provider.grant('alice');
    const tokens = { ...granted.tokens, refreshToken: undefined };
    await bench.accounts.commitLogin(snapshot, 'idp', { ...granted, tokens });
    await refresh(2);

    const current = await bench.registry.get(record.ref);
    const account = current?.accounts.idp;
    if (current && account) await bench.refresher.giveUp(current, account, 'grant_revoked');
    await refresh(2);
    expect(bench.provider.presented).toEqual([]);
  });

  it('does not present a token that cannot be read, and says that it is damaged', async () => {
    const { bench, account, refresh } = await setUp();
    bench.tokens.wipe(await account());
    await expect(refresh()).rejects.toMatchObject({ code: 'reauthentication_required' });
    expect(bench.provider.presented).toEqual([]);
    expect(await account()).toMatchObject({
      state: 'reauthentication_required',
      failureReason: 'tokens_unreadable',
    });
  });

  it('says once that an account needs a new login, and does not bring it back to try again', async () => {
    const { bench, record, account } = await setUp();
    const before = await bench.registry.get(record.ref);
    const current = before?.accounts.idp;
    if (!before || !current) throw new Error('No user is logged in.');
    await Promise.all(
      Array.from({ length: 10 }, () => bench.refresher.giveUp(before, current, 'no_refresh_token')),
    );
    expect(bench.eventsOf('account.reauthentication_required')).toHaveLength(1);
    expect(await account()).toMatchObject({ failureReason: 'no_refresh_token' });
  });
});

describe('refreshes', () => {
  it('of two accounts of a session go on side by side [security 17]', async () => {
    const { bench, record, snapshot, refresh } = await setUp();
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('bob'));
    bench.provider.holds = true;
    const both = Promise.all([refresh(1), bench.refresher.refresh(record.ref, 'other', 2)]);
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
    const settled = bench.refresher.settled().then(() => {
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
    async (outcome, failureReason) => {
      const { refreshTokens } = answering(outcome);
      const { bench, record, account, refresh } = await setUp({ refreshTokens });
      const before = await account();
      await expect(refresh()).rejects.toMatchObject({ code: 'reauthentication_required' });
      expect(await account()).toMatchObject({
        state: 'reauthentication_required',
        failureReason,
        hasRefreshToken: false,
        sealed: undefined,
        expiresAtMs: undefined,
        refreshAtMs: undefined,
      });
      expect(before?.sealed?.bytes.every((byte) => byte === 0)).toBe(true);
      expect(bench.eventsOf('account.reauthentication_required')).toEqual([
        {
          type: 'account.reauthentication_required',
          ref: record.ref,
          epoch: 0,
          provider: 'idp',
          subject: 'alice',
          failureReason,
        },
      ]);
    },
  );

  it('for now leaves the account as it is, notes why, and passes on when to try again [security 20]', async () => {
    const { refreshTokens } = answering({ kind: 'unavailable', retryAfterSeconds: 7, cause });
    const { bench, record, snapshot, account, refresh } = await setUp({ refreshTokens });
    await expect(refresh()).rejects.toMatchObject({
      code: 'provider_unavailable',
      retryAfterSeconds: 7,
      cause,
    });
    expect(await account()).toMatchObject({ state: 'authenticated', failureReason: 'provider_unavailable' });
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
    expect(bench.eventsOf('account.refresh_failed')).toEqual([
      {
        type: 'account.refresh_failed',
        ref: record.ref,
        epoch: 0,
        provider: 'idp',
        subject: 'alice',
        generation: 1,
        failureReason: 'provider_unavailable',
        refreshAtMs: bench.clock.now() + 7000,
      },
    ]);
  });

  it.each(['unavailable', 'lost', 'grant_revoked'] as const)(
    'after another login (%s) changes nothing of that [security 15, 21]',
    async (kind) => {
      const code = kind === 'unavailable' ? 'provider_unavailable' : 'reauthentication_required';
      const { bench, snapshot, account, refresh } = await setUp();
      bench.provider.holds = true;
      const refreshed = refresh().catch((error: unknown) => error);
      await bench.clock.advance(0);
      await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('bob'));
      const after = await account();
      bench.provider.held[0]?.answer({ kind, retryAfterSeconds: undefined, cause });
      expect(await refreshed).toMatchObject({ code });
      expect(await account()).toEqual(after);
      expect(await bench.accessToken({ ...snapshot, epoch: 1 })).toBe('access-bob-2');
      expect(bench.eventsOf('account.reauthentication_required')).toEqual([]);
    },
  );

  it('after the logout of that account changes nothing', async () => {
    const { bench, record, snapshot, refresh } = await setUp();
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('bob'));
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
    const { bench, record, snapshot } = await setUp();
    await bench.refresher.replaceRefused(record.ref, 'idp', 1);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
  });

  it('and cannot be replaced makes its account ask for a new login [security 25]', async () => {
    const { bench, record, snapshot, account } = await setUp();
    const granted = bench.provider.grant('alice');
    const tokens = { ...granted.tokens, refreshToken: undefined };
    await bench.accounts.commitLogin(snapshot, 'idp', { ...granted, tokens });
    await bench.refresher.replaceRefused(record.ref, 'idp', 1);
    expect(await account()).toMatchObject({ state: 'authenticated' });
    const replaced = bench.refresher.replaceRefused(record.ref, 'idp', 2);
    await expect(replaced).rejects.toMatchObject({ code: 'reauthentication_required' });
    expect(await account()).toMatchObject({ failureReason: 'no_refresh_token' });
    await bench.refresher.replaceRefused(record.ref, 'idp', 2);
    await bench.registry.end(record.ref, 'deleted');
    await bench.refresher.replaceRefused(record.ref, 'idp', 2);
    expect(bench.eventsOf('account.reauthentication_required')).toHaveLength(1);
  });
});

describe('a refresh because an API rejected the access token', () => {
  it('notes this with the new tokens, until the next refresh', async () => {
    const { bench, record, account } = await setUp();
    await bench.refresher.replaceRefused(record.ref, 'idp', 1);
    expect(await account()).toMatchObject({ generation: 2, tokenRejected: true });
    await bench.refresher.refresh(record.ref, 'idp', 2);
    expect(await account()).toMatchObject({ generation: 3, tokenRejected: undefined });
  });

  /** A login whose API rejects the token, and whose first refresh fails. */
  async function rejectedWhile(kind: 'unavailable' | 'refused') {
    const outcomes: RefreshOutcome[] = [{ kind, retryAfterSeconds: 30, cause: new Error('no') }];
    const clock = new VirtualClock();
    const provider = new ScriptedProvider(clock);
    const refreshTokens = (name: string, refreshToken: Secret) => {
      const outcome = outcomes.shift();
      return outcome ? Promise.resolve(outcome) : provider.refresh(name, refreshToken);
    };
    const login = await setUp({ refreshTokens, clock });
    await clock.advance(1000);
    for (let tries = 1; tries <= 2; tries++) {
      const replaced = login.bench.refresher.replaceRefused(login.record.ref, 'idp', 1);
      await expect(replaced).rejects.toMatchObject({ code: `provider_${kind}` });
    }
    const health = async () => {
      const account = await login.account();
      return account && accountHealth(account, clock.now());
    };
    return { ...login, clock, health };
  }

  it('leaves the account without a valid token if the provider rejects it, too, until one succeeds', async () => {
    const { bench, snapshot, clock, account, refresh, health } = await rejectedWhile('refused');
    expect(await account()).toMatchObject({ state: 'authenticated', failures: 1, expiresAtMs: 1000 });
    expect(await health()).toBe('expired');
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'provider_refused' });
    await clock.advance(30_000);
    await refresh();
    expect(await health()).toBe('good');
    expect(await account()).toMatchObject({ expiresAtMs: 631_000, generation: 2 });
  });

  it('leaves the token valid during an outage', async () => {
    const { bench, snapshot, account, health } = await rejectedWhile('unavailable');
    expect(await account()).toMatchObject({ state: 'authenticated', failures: 1, expiresAtMs: 600_000 });
    expect(await health()).toBe('at_risk');
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
  });
});

describe('what a response says of the account', () => {
  it('replaces what was known of it, and the rest stays', async () => {
    const { bench, snapshot, account, refresh } = await setUp();
    const known = { fields: { team: 'T1', realm: 'R1' }, apiOrigin: 'https://a.test', providerSession: 's1' };
    const grant = (fields: object) => bench.provider.grant('alice', fields);
    await bench.accounts.commitLogin(snapshot, 'idp', grant({ ...known, refreshExpiresInSeconds: 900 }));
    expect(await account()).toMatchObject({ ...known, refreshExpiresAtMs: 900_000 });
    bench.provider.holds = true;
    const answers = [{}, { fields: { team: 'T2' }, apiOrigin: 'https://b.test', providerSession: 's2' }];
    const seen: unknown[] = [];
    for (const [index, fields] of answers.entries()) {
      const refreshed = refresh(2 + index);
      await bench.clock.advance(0);
      bench.provider.held[index]?.answer({ kind: 'granted', granted: grant(fields) });
      await refreshed;
      const { fields: kept, apiOrigin, providerSession } = (await account()) ?? {};
      seen.push({ fields: kept, apiOrigin, providerSession });
    }
    const { team: _team, ...rest } = known.fields;
    expect(seen).toEqual([
      known,
      { fields: { ...rest, team: 'T2' }, apiOrigin: 'https://b.test', providerSession: 's2' },
    ]);
  });
});

describe('a refresh that is put off', () => {
  const cause = new Error('the reason');
  const unavailable = { kind: 'unavailable', retryAfterSeconds: undefined, cause } as const;
  /** Fractions all the same, so that a test knows how long a pause is. */
  const fixed = (fraction: number) => (size: number) => {
    const bytes = Buffer.from(new ArrayBuffer(size));
    if (size === 4) bytes.writeUInt32BE(Math.floor(fraction * 2 ** 32));
    else systemRandom(size).copy(bytes);
    return bytes;
  };

  /** A login whose refreshes are answered like that, in their order; then they are granted. */
  async function failing(outcomes: readonly RefreshOutcome[], fraction = 0.5) {
    const left = [...outcomes];
    const clock = new VirtualClock();
    const provider = new ScriptedProvider(clock);
    const refreshTokens = (name: string, refreshToken: Secret): Promise<RefreshOutcome> => {
      const outcome = left.shift();
      return outcome ? Promise.resolve(outcome) : provider.refresh(name, refreshToken);
    };
    return setUp({ refreshTokens, clock, random: fixed(fraction) });
  }

  it('is due after a pause that doubles, up to half a minute [security 20]', async () => {
    const { bench, account, refresh } = await failing(Array.from({ length: 6 }, () => unavailable));
    const pauses: number[] = [];
    for (let failures = 1; failures <= 6; failures++) {
      const refreshed = refresh();
      await expect(refreshed).rejects.toMatchObject({ code: 'provider_unavailable' });
      const { refreshAtMs = 0, failures: counted } = (await account()) ?? {};
      expect(counted).toBe(failures);
      pauses.push(refreshAtMs - bench.clock.now());
    }
    expect(pauses).toEqual([2000, 4000, 8000, 15_000, 15_000, 15_000]);
  });

  it('is due after half a second at the earliest', async () => {
    const { bench, account, refresh } = await failing([unavailable], 0);
    await expect(refresh()).rejects.toMatchObject({ retryAfterSeconds: 1 });
    expect((await account())?.refreshAtMs).toBe(bench.clock.now() + 500);
  });

  it.each(['unavailable', 'refused'] as const)(
    'is due when the provider asks for it, if that is later: %s [security 20]',
    async (kind) => {
      const { bench, account, refresh } = await failing([{ kind, retryAfterSeconds: 120, cause }]);
      await expect(refresh()).rejects.toMatchObject({ retryAfterSeconds: 120 });
      expect((await account())?.refreshAtMs).toBe(bench.clock.now() + 120_000);
    },
  );

  it('is due later and later if the provider refuses it: at most two requests in a minute [security 20]', async () => {
    const refused = { kind: 'refused', retryAfterSeconds: undefined, cause } as const;
    for (const [fraction, pauses] of [
      [0, [30, 60, 120, 240, 480, 900, 900]],
      // 30 - 7.5 and 60 - 15 are more than a minute.
      [0.9999, [22.5, 45, 90, 180, 360, 675, 675]],
    ] as const) {
      const { bench, account, refresh } = await failing(
        Array.from({ length: 7 }, () => refused),
        fraction,
      );
      const seen: number[] = [];
      for (let failures = 1; failures <= 7; failures++) {
        await expect(refresh()).rejects.toMatchObject({ code: 'provider_refused' });
        seen.push(((await account())?.refreshAtMs ?? 0) - bench.clock.now());
      }
      expect(seen.map((ms) => Math.round(ms / 100) / 10)).toEqual(pauses);
    }
  });

  it('says itself when it is due [security 20]', async () => {
    const { bench, account, refresh } = await failing([{ ...unavailable, retryAfterSeconds: 120 }]);
    const statusNow = async () => {
      const current = await account();
      return current && accountStatus(current, bench.clock.now());
    };
    await bench.clock.advance(490_000);
    await expect(refresh()).rejects.toMatchObject({ code: 'provider_unavailable' });
    const expected = { state: 'authenticated', reason: 'provider_unavailable' };
    expect(await statusNow()).toMatchObject({ ...expected, nextRefreshInSeconds: 120 });
    await bench.clock.advance(100_000);
    expect(await statusNow()).toMatchObject({
      ...expected,
      nextRefreshInSeconds: 20,
      accessTokenExpiresInSeconds: 10,
    });
  });

  it('counts its failures anew after a success, and after another login [security 21]', async () => {
    const { bench, snapshot, account, refresh } = await failing([unavailable, unavailable]);
    await refresh().catch(() => undefined);
    await refresh().catch(() => undefined);
    expect(await account()).toMatchObject({ failures: 2, failureReason: 'provider_unavailable' });
    await refresh();
    expect(await account()).toMatchObject({ generation: 2, failures: undefined, failureReason: undefined });

    const second = await failing([unavailable]);
    await second.refresh().catch(() => undefined);
    await second.bench.accounts.commitLogin(second.snapshot, 'idp', second.bench.provider.grant('bob'));
    const renewed = await second.account();
    expect(renewed?.failures).toBeUndefined();
    expect(renewed?.failureReason).toBeUndefined();
    expect(renewed?.refreshAtMs).toBeGreaterThan(second.bench.clock.now() + 400_000);
    expect(await bench.accessToken(snapshot)).toMatch(/^access-/);
  });

  it.each([
    ['has a code of RFC 6749 is an event with this code', 'invalid_client', 'invalid_client'],
    ['has another error is an event without it [security 48]', 'access-alice-1', undefined],
  ])('because the provider rejects it and its answer %s', async (_what, error, oauthError) => {
    const rejection = new Error('No tokens.', { cause: Object.assign(new Error('401'), { error }) });
    const { bench, refresh } = await failing([
      { kind: 'refused', retryAfterSeconds: undefined, cause: rejection },
    ]);
    await expect(refresh()).rejects.toMatchObject({ code: 'provider_refused' });
    const events = bench.eventsOf('account.refresh_failed');
    expect(events.map((event) => 'oauthError' in event && event.oauthError)).toEqual([oauthError ?? false]);
  });

  it('because the provider rejects it keeps the login, and names the operator', async () => {
    const { bench, snapshot, account, refresh } = await failing([
      { kind: 'refused', retryAfterSeconds: undefined, cause },
    ]);
    await expect(refresh()).rejects.toMatchObject({
      code: 'provider_refused',
      message: expect.stringMatching(/rejected the refresh.*operator.*Try again in.*login is kept/),
      cause,
    });
    expect(await account()).toMatchObject({ state: 'authenticated', failureReason: 'provider_refused' });
    expect(bench.eventsOf('account.refresh_failed')).toMatchObject([{ failureReason: 'provider_refused' }]);
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
  });

  it('and meets a logout changes nothing [security 22]', async () => {
    const { bench, record, account, refresh } = await setUp();
    bench.provider.holds = true;
    const refreshed = refresh().catch((error: unknown) => error);
    await bench.clock.advance(0);
    await bench.registry.signOut(record.ref, 'logout');
    bench.provider.held[0]?.answer(unavailable);
    expect(await refreshed).toMatchObject({ code: 'provider_unavailable' });
    expect(await account()).toBeUndefined();
    expect(bench.eventsOf('account.refresh_failed')).toEqual([]);
  });

  it('that the account does not need any more changes nothing', async () => {
    const { bench, account, refresh } = await failing([{ kind: 'unwanted' }]);
    const before = await account();
    await refresh();
    expect(await account()).toEqual(before);
    expect(bench.events.filter(({ type }) => type.startsWith('account.refresh'))).toEqual([]);
  });

  it('asks before it is sent again whether it is wanted [security 15, 22]', async () => {
    const asks: (() => Promise<boolean>)[] = [];
    const refreshTokens: RefreshTokens = (_provider, _token, guard) => {
      asks.push(() => guard.isWanted());
      return Promise.resolve({ kind: 'unwanted' });
    };
    const first = await setUp({ parts: { wrapRefresh: () => refreshTokens } });
    await first.refresh();
    expect(await asks[0]?.()).toBe(true);
    await first.bench.accounts.commitLogin(first.snapshot, 'idp', first.bench.provider.grant('alice'));
    expect(await asks[0]?.()).toBe(false);
    await first.refresh(2);
    expect(await asks[1]?.()).toBe(true);
    await first.bench.registry.signOut(first.record.ref, 'logout');
    expect(await asks[1]?.()).toBe(false);
  });
});

describe('a refresh whose response names another user', () => {
  const identities: [string, Partial<GrantedTokens>][] = [
    ['another subject', { identity: { subject: 'mallory' } }],
    ['another `sub` than the ID token of a login that user info identifies', { openIdSubject: 'mallory' }],
    ['another issuer', { nonconformance: 'issuer_changed', identity: undefined }],
  ];

  it.each(identities)(
    'gives the account up, and has the old and the new tokens revoked: %s [security 22, 23]',
    async (_what, fields) => {
      const bench = new SessionBench();
      const granted = bench.provider.grant('alice', fields);
      const { refreshTokens } = answering({ kind: 'granted', granted });
      const { bench: used, account, refresh } = await setUp({ refreshTokens });
      await expect(refresh()).rejects.toMatchObject({ code: 'reauthentication_required' });
      expect(await account()).toMatchObject({
        state: 'reauthentication_required',
        failureReason: 'identity_changed',
        sealed: undefined,
      });
      expect(used.eventsOf('account.reauthentication_required')).toMatchObject([
        { failureReason: 'identity_changed' },
      ]);
      expect(used.eventsOf('account.refreshed')).toEqual([]);
      // The benches count alike, so the tokens of login and refresh are called the same; each was revoked.
      expect(used.eventsOf('account.revoked')).toHaveLength(2);
      expect(() => granted.tokens.accessToken.reveal()).toThrow('wiped');
    },
  );

  it('is not one with the first ID token of an account that had none', async () => {
    const { bench, snapshot, account } = await setUp();
    const login = bench.provider.grant('alice', { openIdSubject: undefined });
    await bench.accounts.commitLogin(snapshot, 'idp', login);
    await bench.refresher.refresh(snapshot.ref, 'idp', 2);
    expect(await account()).toMatchObject({ state: 'authenticated', generation: 3 });
  });

  it('has also those new tokens revoked that bring no refresh token [security 23]', async () => {
    const { bench, refresh } = await setUp();
    bench.provider.holds = true;
    const refreshed = refresh().catch((error: unknown) => error);
    await bench.clock.advance(0);
    const granted = bench.provider.grant('mallory');
    const tokens = { ...granted.tokens, refreshToken: undefined };
    bench.provider.held[0]?.answer({ kind: 'granted', granted: { ...granted, tokens } });
    expect(await refreshed).toMatchObject({ code: 'reauthentication_required' });
    expect(new Set(bench.provider.revoked)).toEqual(
      new Set(['refresh-alice-1', 'access-alice-1', 'access-mallory-2']),
    );
  });
});

describe('what comes with a refresh', () => {
  /** Refreshes once for each of these, and tells the scopes after each. */
  async function scopesAfter(
    initial: readonly string[] | undefined,
    answers: (readonly string[] | undefined)[],
  ) {
    const { bench, snapshot, account } = await setUp();
    const login = bench.provider.grant('alice', { scopes: initial });
    await bench.accounts.commitLogin(snapshot, 'idp', login);
    bench.provider.holds = true;
    const seen: unknown[] = [];
    for (const [index, scopes] of answers.entries()) {
      const refreshed = bench.refresher.refresh(snapshot.ref, 'idp', 2 + index);
      await bench.clock.advance(0);
      const granted = bench.provider.grant('alice', { scopes });
      bench.provider.held[index]?.answer({ kind: 'granted', granted });
      await refreshed;
      seen.push((await account())?.scopes);
    }
    return {
      seen,
      odd: bench.eventsOf('account.nonconforming_answer').map(({ nonconformance }) => nonconformance),
    };
  }

  it('may narrow the scopes, and never widens them [security 23]', async () => {
    const answers = [['a', 'b'], ['b', 'a', 'admin'], ['a'], undefined, ['a', 'b']];
    expect(await scopesAfter(['a', 'b'], answers)).toEqual({
      seen: [['a', 'b'], ['b', 'a'], ['a'], ['a'], ['a']],
      odd: ['scope_widened', 'scope_widened'],
    });
  });

  it('never widens the scopes, not even of an account that has none left [security 23]', async () => {
    const answers = [['b'], ['a', 'b', 'admin']];
    expect((await scopesAfter(['a'], answers)).seen).toEqual([[], []]);
  });

  it('may be an ID token that says nothing of use: the tokens are kept, and an event tells [security 23]', async () => {
    const { bench, record, snapshot, account, refresh } = await setUp();
    bench.provider.holds = true;
    const refreshed = refresh();
    await bench.clock.advance(0);
    const granted = bench.provider.grant('alice', {
      identity: undefined,
      nonconformance: 'id_token_invalid',
    });
    bench.provider.held[0]?.answer({ kind: 'granted', granted });
    await refreshed;
    expect(await account()).toMatchObject({ state: 'authenticated', generation: 2, subject: 'alice' });
    expect(await bench.accessToken(snapshot)).toBe('access-alice-2');
    expect(bench.eventsOf('account.nonconforming_answer')).toEqual([
      {
        type: 'account.nonconforming_answer',
        ref: record.ref,
        epoch: 0,
        provider: 'idp',
        subject: 'alice',
        nonconformance: 'id_token_invalid',
      },
    ]);
    expect(bench.provider.revoked).toEqual([]);
  });

  it('is nothing odd in an ordinary answer', async () => {
    const { bench, refresh } = await setUp();
    await refresh();
    expect(bench.eventsOf('account.nonconforming_answer')).toEqual([]);
  });
});
