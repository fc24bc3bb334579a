import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../test/support/session-bench.js';
import type { SessionKind, SessionSnapshot } from '../session/session-record.js';
import { systemRandom } from '../vault/random.js';
import { Vault } from '../vault/vault.js';
import { SessionStates, STATE_LIMITS } from './session-state.js';

async function setUp(kind: SessionKind = 'connection') {
  const bench = new SessionBench();
  const { registry, keys, sessionEvents } = bench;
  const states = new SessionStates({ registry, vault: new Vault(keys, systemRandom, 'session-state') });
  sessionEvents.subscribe((event) => states.handleEvent(event));
  const { snapshot } = await bench.loggedIn('alice', kind);
  const stored = async () => (await registry.get(snapshot.ref))?.state;
  return { bench, states, snapshot, stored };
}

describe('the state of a session', () => {
  it('is undefined with version 0 until it is set, and then what JSON reads back', async () => {
    const { states, snapshot } = await setUp();
    expect(await states.get(snapshot)).toEqual({ value: undefined, version: 0 });
    expect(await states.set(snapshot, { list: [1, 'ü'], none: undefined })).toBe(1);
    expect(await states.set(snapshot, null)).toBe(2);
    expect(await states.get(snapshot)).toEqual({ value: null, version: 2 });
  });

  it('loses no change of concurrent calls that compare the version', async () => {
    const { states, snapshot } = await setUp();
    const increment = async () => {
      for (;;) {
        const { value, version } = await states.get(snapshot);
        if (await states.set(snapshot, Number(value ?? 0) + 1, { ifVersion: version })) return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, increment));
    expect(await states.get(snapshot)).toEqual({ value: 20, version: 20 });
    expect(await states.set(snapshot, 'late', { ifVersion: 19 })).toBeUndefined();
    expect(await states.set(snapshot, 'first', { ifVersion: 0 })).toBeUndefined();
    expect((await states.get(snapshot)).value).toBe(20);
  });

  it.each([
    [{ ifversion: 0 }, 'did you mean `ifVersion`?'],
    [{ ifVersion: '0' }, 'at ifVersion'],
    [null, 'The options of `state.set` are invalid'],
  ])('is not replaced with the options %j', async (options, hint) => {
    const { states, snapshot } = await setUp();
    await states.set(snapshot, 'first');
    // Options from code without types.
    await expect(states.set(snapshot, 'second', options as never)).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining(hint),
    });
    expect(await states.get(snapshot)).toEqual({ value: 'first', version: 1 });
  });

  it('is sealed, and an older value is wiped [security 29]', async () => {
    const { states, snapshot, stored } = await setUp();
    await states.set(snapshot, 'canary');
    const first = await stored();
    expect(first?.sealed.bytes.toString('latin1')).not.toContain('canary');
    await states.set(snapshot, 'another');
    expect(first?.sealed.salt.every((byte) => byte === 0)).toBe(true);
    expect(first?.sealed.bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('does not open in another session [security 29]', async () => {
    const { bench, states, snapshot, stored } = await setUp();
    await states.set(snapshot, 'canary');
    const other = await bench.loggedIn('bob');
    const state = await stored();
    await bench.registry.update(other.record.ref, () => ({ state }));
    await expect(states.get(other.snapshot)).rejects.toMatchObject({ code: 'sealed_record_invalid' });
  });

  it.each(['signOut', 'end'] as const)(
    'is wiped by %s, and a later login starts without [security 31]',
    async (how) => {
      const { bench, states, snapshot, stored } = await setUp();
      await states.set(snapshot, 'canary');
      const state = await stored();
      if (how === 'signOut') await bench.registry.signOut(snapshot.ref, 'logout');
      else await bench.registry.end(snapshot.ref, 'deleted');
      expect(state?.sealed.salt.every((byte) => byte === 0)).toBe(true);
      expect(await stored()).toBeUndefined();
      expect(states.bytes).toBe(0);
      await expect(states.get(snapshot)).rejects.toMatchObject({ code: 'signed_out' });
      await expect(states.set(snapshot, 1)).rejects.toMatchObject({ code: 'signed_out' });
      if (how === 'end') return;
      const next = { ref: snapshot.ref, epoch: 1 };
      await expect(states.set(next, 1)).rejects.toMatchObject({ code: 'login_required' });
      await bench.accounts.commitLogin(next, 'idp', bench.provider.grant('alice'));
      expect(await states.get(next)).toEqual({ value: undefined, version: 0 });
    },
  );

  it('stays with a new login of the same user, and is wiped by that of another one', async () => {
    const { bench, states, snapshot, stored } = await setUp();
    await states.set(snapshot, 'of alice');
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    expect((await states.get(snapshot)).value).toBe('of alice');
    const state = await stored();
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('mallory'));
    expect(await states.get({ ...snapshot, epoch: 1 })).toEqual({ value: undefined, version: 0 });
    expect(state?.sealed.salt.every((byte) => byte === 0)).toBe(true);
    expect(states.bytes).toBe(0);
  });

  it('is wiped when the user logs out of one of two providers [security 31]', async () => {
    const { bench, states, snapshot, stored } = await setUp();
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('alice'));
    await states.set(snapshot, 'of alice');
    const state = await stored();
    await bench.accounts.remove(snapshot.ref, 'idp');
    expect(state?.sealed.salt.every((byte) => byte === 0)).toBe(true);
    expect(states.bytes).toBe(0);
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    expect(await states.get(snapshot)).toEqual({ value: undefined, version: 0 });
  });

  it('is wiped when the user logs out at one of two providers, and stays when a grant ends [security 31]', async () => {
    const { bench, states, snapshot, stored } = await setUp();
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('alice'));
    await states.set(snapshot, 'of alice');
    const state = await stored();
    const giveUp = async (provider: 'idp' | 'other', reason: 'grant_revoked' | 'provider_logout') => {
      const record = await bench.registry.get(snapshot.ref);
      const account = record?.accounts[provider];
      if (record && account) await bench.refresher.giveUp(record, account, reason);
    };
    await giveUp('other', 'grant_revoked');
    expect(await states.get(snapshot)).toMatchObject({ value: 'of alice' });
    await giveUp('idp', 'provider_logout');
    expect(state?.sealed.salt.every((byte) => byte === 0)).toBe(true);
    expect(states.bytes).toBe(0);
    expect(await stored()).toBeUndefined();
  });

  it('does not come back when the session is signed out while it is set', async () => {
    const { bench, states, snapshot, stored } = await setUp();
    const setting = states.set(snapshot, 'canary');
    setting.catch(() => undefined);
    await bench.registry.signOut(snapshot.ref, 'logout');
    await setting.catch(() => undefined);
    expect(await stored()).toBeUndefined();
    expect(states.bytes).toBe(0);
  });

  it('is read or gone, whenever the sign-out comes that wipes it [security 31]', async () => {
    for (let ticks = 0; ticks < 20; ticks++) {
      const { bench, states, snapshot } = await setUp('handle');
      await states.set(snapshot, 'a value');
      const signingOut = bench.accounts.remove(snapshot.ref, 'idp');
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      const reads = Array.from({ length: 3 }, () =>
        states.get(snapshot).then(
          ({ value }) => value,
          ({ code }: { code?: string }) => code,
        ),
      );
      for (const read of await Promise.all(reads)) expect(['a value', 'signed_out']).toContain(read);
      await signingOut;
    }
  });

  it('that is damaged is an error', async () => {
    const { states, snapshot, stored } = await setUp();
    await states.set(snapshot, 'a value');
    (await stored())?.sealed.bytes.fill(0);
    await expect(states.get(snapshot)).rejects.toMatchObject({ code: 'sealed_record_invalid' });
  });

  it('counts no bytes after a sign-out, whenever that comes [security 41]', async () => {
    const { bench, states, snapshot } = await setUp();
    for (let ticks = 0; ticks < 40; ticks++) {
      const session = { ref: snapshot.ref, epoch: ticks };
      const settings = [states.set(session, 'x'), states.set(session, 'y')].map((setting) =>
        setting.catch(() => undefined),
      );
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      await bench.registry.signOut(snapshot.ref, 'logout');
      await Promise.all(settings);
      expect(states.bytes).toBe(0);
      const next = { ref: snapshot.ref, epoch: ticks + 1 };
      await bench.accounts.commitLogin(next, 'idp', bench.provider.grant('alice'));
    }
    expect(await states.set({ ref: snapshot.ref, epoch: 40 }, 'x'.repeat(1000))).toBe(1);
    expect(states.bytes).toBe(1002);
  });

  it('has at most 64 KiB as JSON', async () => {
    const { states, snapshot } = await setUp();
    const longest = 'x'.repeat(STATE_LIMITS.maxBytes - 2);
    expect(await states.set(snapshot, longest)).toBe(1);
    await expect(states.set(snapshot, `${longest}x`)).rejects.toBeInstanceOf(RangeError);
    await expect(states.set(snapshot, undefined)).rejects.toBeInstanceOf(TypeError);
    await expect(states.set(snapshot, () => 1)).rejects.toBeInstanceOf(TypeError);
    expect((await states.get(snapshot)).value).toBe(longest);
    expect(states.bytes).toBe(STATE_LIMITS.maxBytes);
  });

  it('counts for its user, who may use a quarter of what the node keeps [security 39]', async () => {
    const { bench, states } = await setUp();
    const value = 'x'.repeat(STATE_LIMITS.maxBytes - 2);
    const most = STATE_LIMITS.sharedBytes / 4 / STATE_LIMITS.maxBytes;
    const sessions: SessionSnapshot[] = [];
    // The limit of sessions for each account listens to logins. These records are changed without one.
    for (let count = 0; count <= most; count++) {
      const { record } = await bench.registry.start('connection', 'anonymous');
      const snapshot = { ref: record.ref, epoch: record.epoch };
      await bench.registry.update(record.ref, () => ({
        accounts: {
          idp: {
            provider: 'idp',
            subject: 'bob',
            state: 'authenticated',
            generation: 1,
            grantId: 1,
            scopes: [],
            hasRefreshToken: false,
          },
        },
        signedInAtMs: bench.clock.now(),
      }));
      sessions.push(snapshot);
      if (count < most) expect(await states.set(snapshot, value)).toBe(1);
      else await expect(states.set(snapshot, value)).rejects.toMatchObject({ code: 'limit_reached' });
    }
    const [first, ...others] = sessions;
    const [last] = others.slice(-1);
    if (!first || !last) throw new Error('No sessions.');
    await bench.registry.signOut(first.ref, 'logout');
    expect(await states.set(last, value)).toBe(1);
    const alice = await bench.loggedIn('alice');
    expect(await states.set(alice.snapshot, value)).toBe(1);
    // A further login does not move the bytes to an account that has no quota left.
    await bench.registry.update(alice.snapshot.ref, ({ accounts: { idp } }) => {
      if (!idp) throw new Error('No account.');
      const other = { ...idp, provider: 'other', sealed: undefined };
      return { accounts: { other, idp: { ...idp, subject: 'bob', generation: 9 } } };
    });
    const { bytes } = states;
    expect(await states.set(alice.snapshot, value)).toBe(2);
    expect(states.bytes).toBe(bytes);
  });
});
