import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../test/support/session-bench.js';
import { logIdOf, publicIdOf } from './ids.js';
import { SessionAdministration, type SignOutFilter } from './session-administration.js';

const MINUTE = 60_000;

function administrationOf({ registry, accounts, keys, clock }: SessionBench) {
  return new SessionAdministration({
    registry,
    accounts,
    logins: { discardUnconfirmed: async () => [] },
    keys,
    clock,
    providers: new Map([
      ['idp', 0],
      ['other', 0],
    ]),
  });
}

async function setUp() {
  const bench = new SessionBench();
  const { registry } = bench;
  const administration = administrationOf(bench);
  const alice = await bench.loggedIn('alice');
  const bob = await bench.loggedIn('bob', 'handle');
  await bench.accounts.commitLogin(bob.snapshot, 'other', bench.provider.grant('alice'));
  const anonymous = await registry.start('connection', 'anonymous');
  await registry.start('owned-connection', 'an owner');
  const loggedIn = async () => (await administration.list()).flatMap(({ accounts }) => accounts);
  return { bench, administration, alice, bob, anonymous, loggedIn };
}

describe('the list of sessions', () => {
  it('has the id, the log id and the accounts of each session', async () => {
    const { bench, administration, alice, bob, anonymous } = await setUp();
    const ids = (record: typeof alice.record) => ({
      id: publicIdOf(bench.keys, record),
      logId: logIdOf(bench.keys, record.ref),
    });
    expect(await administration.list()).toMatchObject([
      { ...ids(alice.record), accounts: [{ provider: 'idp', subject: 'alice' }] },
      {
        ...ids(bob.record),
        accounts: [
          { provider: 'idp', subject: 'bob' },
          { provider: 'other', subject: 'alice' },
        ],
      },
      { ...ids(anonymous.record), accounts: [] },
    ]);
  });

  it('has the times of the start and of the last use', async () => {
    const { bench, administration, alice, anonymous } = await setUp();
    await bench.clock.advance(2 * MINUTE);
    await bench.registry.touch(alice.record.ref);
    await bench.clock.advance(MINUTE);
    bench.registry.requestBegan(anonymous.record.ref);
    const listed = await administration.list();
    const usedForMs = listed.map(({ startedAt, lastUsedAt }) => lastUsedAt.getTime() - startedAt.getTime());
    expect(usedForMs).toEqual([2 * MINUTE, 0, 3 * MINUTE]);
    expect(listed[0]?.startedAt).toEqual(listed[1]?.startedAt);
  });

  it('contains no reference and no token', async () => {
    const { bench, administration, alice, bob } = await setUp();
    const text = JSON.stringify(await administration.list());
    for (const secret of [alice.id, bob.id, alice.record.ref, bob.record.ref])
      expect(text).not.toContain(secret);
    expect(text).not.toContain(await bench.accessToken(alice.snapshot));
  });
});

describe('signing sessions out as an operator', () => {
  it('wipes the tokens of one session and gives it a new id', async () => {
    const { bench, administration, alice, loggedIn } = await setUp();
    const id = publicIdOf(bench.keys, alice.snapshot);
    expect(await administration.signOut({ session: id })).toBe(1);
    expect(await loggedIn()).toEqual([
      { provider: 'idp', subject: 'bob' },
      { provider: 'other', subject: 'alice' },
    ]);
    expect(bench.provider.revoked).toContain('refresh-alice-1');
    expect((await bench.registry.get(alice.record.ref))?.signedOut).toBe('operator');
    expect((await administration.list()).map((session) => session.id)).not.toContain(id);
    expect(await administration.signOut({ session: id })).toBe(0);
  });

  it('of a user reads no session of another user', async () => {
    const { bench, administration, alice, bob } = await setUp();
    const { registry } = bench;
    const { get } = registry;
    const read = new Set<string>();
    registry.get = (ref) => {
      read.add(ref);
      return get.call(registry, ref);
    };
    await administration.signOut({ subject: 'bob' });
    expect([read.has(bob.record.ref), read.has(alice.record.ref)]).toEqual([true, false]);
  });

  it('aborts the calls of the session', async () => {
    const { bench, administration, alice, bob } = await setUp();
    const [signal, other] = [alice, bob].map(({ record }) => bench.registry.signalOf(record));
    await administration.signOut({ session: publicIdOf(bench.keys, alice.snapshot) });
    expect(signal?.aborted).toBe(true);
    expect(other?.aborted).toBe(false);
  });

  it.each<[SignOutFilter, string[]]>([
    [{ subject: 'alice' }, []],
    [{ subject: 'bob' }, ['alice']],
    [{ provider: 'other' }, ['alice']],
    [{ subject: 'alice', provider: 'idp' }, ['bob', 'alice']],
    [{ subject: 'bob', provider: 'other' }, ['alice', 'bob', 'alice']],
    [{ subject: 'carol' }, ['alice', 'bob', 'alice']],
  ])('matches accounts by %j', async (filter, left) => {
    const { administration, loggedIn } = await setUp();
    await administration.signOut(filter);
    expect((await loggedIn()).map(({ subject }) => subject)).toEqual(left);
  });

  it('ends a session with a handle', async () => {
    const { bench, administration, bob } = await setUp();
    await administration.signOut({ subject: 'bob' });
    expect(await bench.registry.resolve('handle', bob.id)).toEqual({ state: 'ended', reason: 'operator' });
  });

  it.each([
    {},
    { subject: undefined },
    { user: 'alice' },
    { subject: 7 },
    { subject: undefined, provider: 'idp' },
  ])('refuses the filter %j and signs no session out', async (filter) => {
    const { administration, loggedIn } = await setUp();
    // Filters from code without types.
    const signingOut = administration.signOut(filter as SignOutFilter);
    await expect(signingOut).rejects.toMatchObject({ code: 'configuration' });
    expect(await loggedIn()).toHaveLength(3);
  });

  it('reads each criterion once', async () => {
    const { administration, loggedIn } = await setUp();
    const subjects = ['bob', undefined];
    const filter = Object.defineProperty({}, 'subject', {
      enumerable: true,
      get: () => subjects.shift(),
    });
    expect(await administration.signOut(filter)).toBe(1);
    expect((await loggedIn()).map(({ subject }) => subject)).toEqual(['alice']);
  });

  it('refuses a filter with a provider that is not configured', async () => {
    const { administration } = await setUp();
    await expect(administration.signOut({ provider: 'githb' })).rejects.toMatchObject({
      code: 'unknown_provider',
    });
  });
});

describe('a sign-out by an operator while a login is being added', () => {
  /** Starts to add a login of alice. The promise is in an object, so that it is not awaited. */
  const additions = {
    'by its commit': async (bench: SessionBench) => {
      const { record } = await bench.registry.start('connection', 'anonymous');
      return { adding: bench.accounts.commitLogin(record, 'idp', bench.provider.grant('alice')) };
    },
    'by the promotion of its pending handle': async (bench: SessionBench) => {
      const { record } = await bench.loggedIn('alice', 'pending-handle');
      const pending = await bench.registry.get(record.ref);
      if (!pending) throw new Error('The session has ended.');
      return { adding: bench.accounts.promote(pending) };
    },
    'by its commit, and then by the promotion': async (bench: SessionBench) => {
      const { record } = await bench.registry.start('pending-handle', 'anonymous');
      const addAndPromote = async () => {
        await bench.accounts.commitLogin(record, 'idp', bench.provider.grant('alice'));
        const pending = await bench.registry.get(record.ref);
        if (pending) await bench.accounts.promote(pending);
      };
      return { adding: addAndPromote() };
    },
  };

  it.each(Object.entries(additions))(
    '(%s) leaves the user logged in nowhere, whenever it comes [security 34]',
    async (_how, add) => {
      for (let ticks = 0; ticks < 60; ticks++) {
        const bench = new SessionBench();
        const administration = administrationOf(bench);
        await bench.loggedIn('bob');
        const { adding } = await add(bench);
        for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
        expect(await administration.signOut({ subject: 'alice' })).toBe(1);
        await adding;
        await bench.disposal.settled();
        const subjects = (await administration.list()).flatMap(({ accounts }) =>
          accounts.map(({ subject }) => subject),
        );
        expect({ ticks, subjects }).toEqual({ ticks, subjects: ['bob'] });
        expect(bench.provider.revoked.filter((token) => token.includes('alice'))).toHaveLength(2);
      }
    },
  );
});
