import { describe, expect, it } from 'vitest';
import { benchNodes } from '../../../../../test/support/bench-nodes.js';
import { SessionBench, type SessionBenchOptions } from '../../../../../test/support/session-bench.js';
import { storeUnavailable } from '../../errors.js';
import type { SessionRef } from '../ids.js';
import type { SessionKind } from '../session-record.js';

const SECOND = 1000;

function setUp(options: SessionBenchOptions = {}) {
  const bench = new SessionBench({ limits: { sessionsPerAccount: 3 }, ...options });
  /** Logs in a second after whatever was before. */
  const logIn = async (subject: string, kind?: SessionKind): Promise<SessionRef> => {
    await bench.clock.advance(SECOND);
    const { ref } = (await bench.loggedIn(subject, kind)).record;
    await bench.clock.advance(0);
    return ref;
  };
  const isLoggedIn = async (ref: SessionRef) => (await bench.registry.get(ref))?.accounts.idp !== undefined;
  const areLoggedIn = (...refs: SessionRef[]) => Promise.all(refs.map(isLoggedIn));
  return { bench, logIn, areLoggedIn };
}

describe('an account that is logged in to as many sessions as it may', () => {
  it('is signed out of the longest idle one by another login [security 39]', async () => {
    const { bench, logIn, areLoggedIn } = setUp();
    const [first, second, third] = [await logIn('alice'), await logIn('alice'), await logIn('alice')];
    await bench.registry.touch(first);
    expect(await areLoggedIn(first, second, third)).toEqual([true, true, true]);
    const fourth = await logIn('alice');
    expect(await areLoggedIn(first, second, third, fourth)).toEqual([true, false, true, true]);
    expect(bench.eventsOf('session.signed_out')).toEqual([
      { type: 'session.signed_out', ref: second, epoch: 0, reason: 'account_cap' },
    ]);
    expect(await bench.registry.get(second)).toMatchObject({ signedOut: 'account_cap', accounts: {} });
    expect(bench.provider.revoked).toEqual(['refresh-alice-2', 'access-alice-2']);
  });

  it('signs out no user with the same name at another provider [security 39]', async () => {
    const { bench, logIn, areLoggedIn } = setUp();
    const others = [await logIn('bob'), await logIn('carol')];
    const elsewhere = await bench.registry.start('connection', 'anonymous');
    const snapshot = { ref: elsewhere.record.ref, epoch: 0 };
    await bench.accounts.commitLogin(snapshot, 'another', bench.provider.grant('alice'));
    for (let number = 0; number < 20; number++) await logIn('alice');
    expect(await areLoggedIn(...others)).toEqual([true, true]);
    expect((await bench.registry.get(snapshot.ref))?.accounts).toHaveProperty('another');
    expect(bench.eventsOf('session.signed_out')).toHaveLength(17);
  });

  it('keeps the sessions whose clients listen, and the new one, if others can go [security 39]', async () => {
    const { bench, logIn, areLoggedIn } = setUp();
    const [first, second, third] = [await logIn('alice'), await logIn('alice'), await logIn('alice')];
    bench.registry.streamOpened(first);
    bench.registry.streamOpened(second);
    const fourth = await logIn('alice');
    expect(await areLoggedIn(first, second, third, fourth)).toEqual([true, true, false, true]);
    bench.registry.streamOpened(fourth);
    const fifth = await logIn('alice');
    expect(await areLoggedIn(first, second, fourth, fifth)).toEqual([false, true, true, true]);
  });

  it('ends a handle, whose client gets the reason [security 34, 39]', async () => {
    const { bench, logIn } = setUp();
    const { id } = await bench.loggedIn('alice', 'handle');
    for (let number = 0; number < 3; number++) await logIn('alice', 'handle');
    expect(await bench.registry.resolve('handle', id)).toEqual({ state: 'ended', reason: 'account_cap' });
    expect(await bench.sessionCount()).toBe(3);
  });

  it('is counted once for a handle and the login it came from [security 39]', async () => {
    const { bench, areLoggedIn } = setUp();
    const refs: SessionRef[] = [];
    for (let number = 0; number < 3; number++) {
      const { record } = await bench.loggedIn('alice', 'pending-handle');
      const pending = await bench.registry.get(record.ref);
      const promoted = pending && (await bench.accounts.promote(pending));
      if (promoted) refs.push(promoted.record.ref);
      await bench.clock.advance(SECOND);
    }
    expect(await areLoggedIn(...refs)).toEqual([true, true, true]);
  });

  it('loses as many as it must when many log in at the same time [security 39]', async () => {
    const { bench } = setUp();
    await Promise.all(Array.from({ length: 50 }, () => bench.loggedIn('alice')));
    await bench.clock.advance(0);
    expect(bench.eventsOf('session.signed_out')).toHaveLength(47);
  });

  it('counts a login that comes while the store is asked for the others [security 39]', async () => {
    const { bench, logIn, areLoggedIn } = setUp();
    const [first, second] = [await logIn('alice'), await logIn('alice')];
    const { store } = bench;
    const refsOf = store.refsOf.bind(store);
    let open = () => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    store.refsOf = async (key) => {
      const refs = await refsOf(key);
      await opened;
      return refs;
    };
    const [third, fourth] = [await logIn('alice'), await logIn('alice')];
    open();
    await bench.clock.advance(0);
    expect(await areLoggedIn(first, second, third, fourth)).toEqual([false, true, true, true]);
  });

  it('has no more sessions at two nodes than at one [security 39]', async () => {
    const { clock, nodes, answer } = benchNodes({ limits: { sessionsPerAccount: 3 } });
    const refs: SessionRef[] = [];
    for (let login = 0; login < 8; login++) {
      const [node = nodes[0]] = nodes.slice(login % 2);
      refs.push((await answer(node.loggedIn('alice'))).record.ref);
      await clock.advance(SECOND);
    }
    const records = await answer(Promise.all(refs.map(async (ref) => nodes[0].registry.get(ref))));
    const isLoggedIn = records.map((record) => record?.accounts.idp !== undefined);
    expect(isLoggedIn).toEqual([false, false, false, false, false, true, true, true]);
  });

  it('does not count sessions that it has left [security 39]', async () => {
    const { bench, logIn, areLoggedIn } = setUp();
    const kept = await logIn('alice');
    await bench.registry.signOut(await logIn('alice'), 'logout');
    await bench.registry.end(await logIn('alice'), 'deleted');
    const both = await logIn('alice');
    await bench.accounts.commitLogin({ ref: both, epoch: 0 }, 'another', bench.provider.grant('alice'));
    await bench.accounts.remove(both, 'idp');
    const replaced = await logIn('alice');
    await bench.accounts.commitLogin({ ref: replaced, epoch: 0 }, 'idp', bench.provider.grant('bob'));
    const more = [await logIn('alice'), await logIn('alice')];
    expect(await areLoggedIn(kept, ...more, replaced)).toEqual([true, true, true, true]);
    expect(bench.eventsOf('session.signed_out').map(({ reason }) => reason)).toEqual([
      'logout',
      'other_user',
    ]);
  });

  it('may have 100 if nothing else is said [security 39]', async () => {
    const { bench, logIn } = setUp({ limits: {} });
    for (let number = 0; number < 100; number++) await logIn('alice');
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
    await logIn('alice');
    expect(bench.eventsOf('session.signed_out')).toHaveLength(1);
  });

  it('is signed out by the next login when the store has failed this time', async () => {
    const { bench, logIn } = setUp();
    const { store } = bench;
    for (let number = 0; number < 3; number++) await logIn('alice');
    const replace = store.replace.bind(store);
    store.replace = (next, ifVersion) =>
      next.signedOut ? Promise.reject(storeUnavailable(new Error('down'))) : replace(next, ifVersion);
    await logIn('alice');
    await bench.clock.advance(SECOND);
    expect(bench.errors).toMatchObject([{ code: 'store_unavailable' }]);
    store.replace = replace;
    await logIn('alice');
    expect(bench.eventsOf('session.signed_out')).toHaveLength(2);
  });
});
