import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../test/support/session-bench.js';
import { type LoggedOutUser, ProviderLogouts } from './provider-logout.js';
import type { GrantedTokens } from './refresh/granted-tokens.js';

async function setUp() {
  const bench = new SessionBench();
  const { registry, refresher, accounts } = bench;
  const discarded: string[] = [];
  const logouts = new ProviderLogouts({
    registry,
    refresher,
    accounts,
    logins: {
      discardUnconfirmed: async (matches) => {
        const waiting = [
          { provider: 'idp', subject: 'alice', openIdSubject: 'alice', providerSession: 's1' },
          { provider: 'idp', subject: 'bob', openIdSubject: 'bob', providerSession: 's9' },
        ];
        const { ref, epoch } = { ref: 'none' as never, epoch: 0 };
        for (const each of waiting) if (matches({ ref, epoch }, [each])) discarded.push(each.subject);
      },
    },
  });
  /** A session with a login, at the provider's session `sid`. */
  const logIn = async (user: string, sid?: string, more: Partial<GrantedTokens> = {}) => {
    const { record } = await registry.start('connection', 'anonymous');
    const snapshot = { ref: record.ref, epoch: 0 };
    await accounts.commitLogin(snapshot, 'idp', {
      ...bench.provider.grant(user),
      providerSession: sid,
      ...more,
    });
    return snapshot;
  };
  const stateOf = async ({ ref }: Awaited<ReturnType<typeof logIn>>) => {
    const record = await registry.get(ref);
    const account = record?.accounts.idp;
    return record?.signedOut ?? account?.failureReason ?? account?.state;
  };
  return { bench, logouts, logIn, stateOf, discarded };
}

const IN = 'authenticated';
const OUT = 'provider_logout';

describe('a logout at a provider', () => {
  it.each<[string, LoggedOutUser, string[]]>([
    // alice in s1, alice in s2, alice in an unknown session, bob in s9.
    ['of a user', { subject: 'alice' }, [OUT, OUT, OUT, IN]],
    ['of a user in one session', { subject: 'alice', session: 's1' }, [OUT, IN, OUT, IN]],
    ['of a session', { session: 's1' }, [OUT, IN, IN, IN]],
    ['of the session of another user', { subject: 'alice', session: 's9' }, [IN, IN, OUT, IN]],
    ['of an unknown session', { session: 's7' }, [IN, IN, IN, IN]],
    ['of an unknown user', { subject: 'carol' }, [IN, IN, IN, IN]],
  ])('%s signs out those accounts only [security 59]', async (_what, user, expected) => {
    const { logouts, logIn, stateOf } = await setUp();
    const sessions = [
      await logIn('alice', 's1'),
      await logIn('alice', 's2'),
      await logIn('alice'),
      await logIn('bob', 's9'),
    ];
    await logouts.signOut('idp', user);
    expect(await Promise.all(sessions.map(stateOf))).toEqual(expected);
  });

  it('finds accounts by the `sub` of OpenID Connect, whatever else identifies their users [security 59]', async () => {
    const { logouts, logIn, stateOf } = await setUp();
    const sessions = [
      await logIn('employee-7', undefined, { openIdSubject: 'alice' }),
      await logIn('employee-7', 's1', { openIdSubject: 'alice' }),
      // A number of the user, not of the logout token.
      await logIn('alice', undefined, { openIdSubject: 'bob' }),
      await logIn('alice', undefined, { openIdSubject: undefined }),
    ];
    await logouts.signOut('idp', { subject: 'alice' });
    expect(await Promise.all(sessions.map(stateOf))).toEqual([OUT, OUT, IN, IN]);
  });

  it('of a user reads no session of another user', async () => {
    const { bench, logouts, logIn, stateOf } = await setUp();
    const [alice, bob] = [await logIn('alice'), await logIn('bob')];
    const { registry } = bench;
    const { get } = registry;
    const read = new Set<string>();
    registry.get = (ref) => {
      read.add(ref);
      return get.call(registry, ref);
    };
    await logouts.signOut('idp', { subject: 'alice' });
    expect([read.has(alice.ref), read.has(bob.ref)]).toEqual([true, false]);
    expect([await stateOf(alice), await stateOf(bob)]).toEqual([OUT, IN]);
  });

  it('signs out no account of another provider', async () => {
    const { logouts, logIn, stateOf } = await setUp();
    const session = await logIn('alice');
    await logouts.signOut('other', { subject: 'alice' });
    expect(await stateOf(session)).toBe(IN);
  });

  it('wipes and revokes the tokens [security 34]', async () => {
    const { bench, logouts, logIn } = await setUp();
    const session = await logIn('alice');
    await logouts.signOut('idp', { subject: 'alice' });
    await expect(bench.accessToken(session)).rejects.toMatchObject({ code: 'signed_out' });
    await bench.disposal.settled();
    expect(bench.eventsOf('account.revoked')).toMatchObject([{ subject: 'alice', revocation: 'confirmed' }]);
  });

  it('ends that account only in a session with accounts of other providers', async () => {
    const { bench, logouts, logIn, stateOf } = await setUp();
    const session = await logIn('alice');
    await bench.accounts.commitLogin(session, 'other', bench.provider.grant('alice'));
    const signal = bench.registry.signalOf(session);
    await logouts.signOut('idp', { subject: 'alice' });
    expect(await stateOf(session)).toBe(OUT);
    const { accounts } = (await bench.registry.get(session.ref)) ?? {};
    expect(accounts?.idp).toMatchObject({ state: 'reauthentication_required', sealed: undefined });
    expect(accounts?.other).toMatchObject({ state: IN });
    expect(signal.aborted).toBe(false);
    await logouts.signOut('idp', { subject: 'alice' });
    expect(bench.eventsOf('account.reauthentication_required')).toHaveLength(1);
  });

  it('ends a handle, and says why', async () => {
    const { bench, logouts } = await setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    await logouts.signOut('idp', { subject: 'alice' });
    expect(await bench.registry.get(record.ref)).toBeUndefined();
    expect(bench.eventsOf('session.ended')).toMatchObject([{ reason: OUT }]);
  });

  it('discards logins of the user that wait for their confirmation code', async () => {
    const { logouts, discarded } = await setUp();
    await logouts.signOut('idp', { session: 's1' });
    expect(discarded).toEqual(['alice']);
  });

  it('wins against a refresh that ends at the same time', async () => {
    const { bench, logouts, logIn, stateOf } = await setUp();
    const [session, both] = [await logIn('alice'), await logIn('alice')];
    await bench.accounts.commitLogin(both, 'other', bench.provider.grant('alice'));
    const refreshes = [session, both].map(({ ref }) => bench.refresher.refresh(ref, 'idp', 1));
    await Promise.all([logouts.signOut('idp', { subject: 'alice' }), ...refreshes]);
    expect([await stateOf(session), await stateOf(both)]).toEqual([OUT, OUT]);
  });

  it('signs out a login that is being added meanwhile', async () => {
    const { bench, logouts, stateOf } = await setUp();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const session = { ref: record.ref, epoch: 0 };
    const adding = bench.accounts.commitLogin(session, 'idp', bench.provider.grant('alice'));
    await Promise.all([logouts.signOut('idp', { subject: 'alice' }), adding]);
    expect(await stateOf(session)).toBe(OUT);
  });

  it('signs out all other sessions before it throws an error of the store', async () => {
    const { bench, logouts, logIn, stateOf } = await setUp();
    const { store } = bench;
    const [broken, good] = [await logIn('alice'), await logIn('alice')];
    const get = store.get.bind(store);
    store.get = async (ref) => {
      if (ref === broken.ref) throw new Error('The store is down.');
      return get(ref);
    };
    await expect(logouts.signOut('idp', { subject: 'alice' })).rejects.toThrow();
    expect(await stateOf(good)).toBe(OUT);
  });
});
