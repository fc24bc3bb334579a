import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../test/support/session-bench.js';
import { type SessionRecord, snapshotOf } from './session-record.js';

function setUp() {
  const bench = new SessionBench({ grantProviders: ['idp'] });
  const { sharedGrants: shared } = bench;
  /** Whether disposing of an account of the session, as it is now, could end another login. */
  const isShared = async ({ ref }: SessionRecord, subject = 'alice') => {
    const generation = (await bench.registry.get(ref))?.accounts.idp?.generation;
    return shared.isShared(ref, { provider: 'idp', subject, generation });
  };
  return { bench, shared, isShared };
}

describe('the grant of a user', () => {
  it('is shared by the sessions that the user is logged in to, until one is left', async () => {
    const { bench, shared, isShared } = setUp();
    const { record: first } = await bench.loggedIn('alice');
    expect(await isShared(first)).toBe(false);
    const { record: second } = await bench.loggedIn('alice', 'handle');
    const { record: other } = await bench.loggedIn('bob');
    expect([await isShared(first), await isShared(second), await isShared(other, 'bob')]).toEqual([
      true,
      true,
      false,
    ]);
    await bench.registry.signOut(first.ref, 'logout');
    expect(await isShared(second)).toBe(false);
    await bench.registry.end(second.ref, 'deleted');
    expect(shared.size).toBe(1);
  });

  it('is in use by a newer login of the same session, but not by an older one', async () => {
    const { bench, shared } = setUp();
    const { record, snapshot } = await bench.loggedIn('alice');
    const account = { provider: 'idp', subject: 'alice' };
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    expect(await shared.isShared(record.ref, { ...account, generation: 1 })).toBe(true);
    expect(await shared.isShared(record.ref, { ...account, generation: 2 })).toBe(false);
    await bench.refresher.refresh(record.ref, 'idp', 2);
    expect(await shared.isShared(record.ref, { ...account, generation: 2 })).toBe(true);
    expect(await shared.isShared(record.ref, { ...account, generation: 3 })).toBe(false);
  });

  it('is in use by the login of a session whose next login fails', async () => {
    const { bench, shared } = setUp();
    const { record } = await bench.loggedIn('alice');
    expect(await shared.isShared(record.ref, { provider: 'idp', subject: 'alice' })).toBe(true);
    expect(await shared.isShared(record.ref, { provider: 'idp', subject: 'bob' })).toBe(false);
  });

  it('is not in use by an account that needs a new login, nor by one that the user logged out of', async () => {
    const { bench, isShared } = setUp();
    const { record: first } = await bench.loggedIn('alice');
    const { record: second, snapshot } = await bench.loggedIn('alice');
    const { record: third } = await bench.loggedIn('alice');
    const before = await bench.registry.get(first.ref);
    const account = before?.accounts.idp;
    if (!before || !account) throw new Error('No user is logged in.');
    await bench.refresher.giveUp(before, account, 'refresh_lost');
    expect(await isShared(second)).toBe(true);
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('alice'));
    await bench.accounts.remove(second.ref, 'idp');
    expect(await isShared(third)).toBe(false);
  });

  it('stays in use while a pending handle becomes a session handle', async () => {
    const { bench, shared, isShared } = setUp();
    const { record: other } = await bench.loggedIn('alice');
    const { record: pending } = await bench.loggedIn('alice', 'pending-handle');
    const { start } = bench.registry;
    const during: boolean[] = [];
    bench.registry.start = async (...parameters) => {
      during.push(await isShared(other));
      return start.apply(bench.registry, parameters);
    };
    const latest = await bench.registry.get(pending.ref);
    const promoted = latest && (await bench.accounts.promote(latest));
    expect(promoted).toBeDefined();
    expect(during).toEqual([true]);
    expect(await isShared(other)).toBe(true);
    expect(shared.size).toBe(2);
  });

  it.each(['start', 'update'] as const)('is not in use by a promotion that failed: %s', async (step) => {
    const { bench, shared, isShared } = setUp();
    const { record: other } = await bench.loggedIn('alice');
    const { record: pending } = await bench.loggedIn('alice', 'pending-handle');
    const latest = await bench.registry.get(pending.ref);
    const generation = latest?.accounts.idp?.generation;
    bench.registry[step] = () => Promise.reject<never>(new Error('failed'));
    await expect(latest && bench.accounts.promote(latest)).rejects.toThrow('failed');
    // The disposal asks for the account that was not moved.
    const started = bench.eventsOf('session.started').at(-1);
    const ref = step === 'start' ? pending.ref : started?.ref;
    if (ref) await shared.isShared(ref, { provider: 'idp', subject: 'alice', generation });
    expect(await isShared(other)).toBe(false);
    expect(shared.size).toBe(1);
  });

  it('stays in use during a promotion, whatever ends in other sessions', async () => {
    const { bench, isShared } = setUp();
    const { record: other } = await bench.loggedIn('alice');
    const { record: pending } = await bench.loggedIn('alice', 'pending-handle');
    const { start } = bench.registry;
    bench.registry.start = async (...parameters) => {
      // This session had tokens of the same generation.
      await bench.registry.signOut(other.ref, 'logout');
      await bench.disposal.settled();
      return start.apply(bench.registry, parameters);
    };
    const latest = await bench.registry.get(pending.ref);
    const promoted = latest && (await bench.accounts.promote(latest));
    expect(bench.provider.revoked).toEqual([]);
    expect(promoted && (await isShared(promoted.record))).toBe(false);
  });

  it('is in use by a login without an account until its account is in a session', async () => {
    const { bench, shared, isShared } = setUp();
    const { record: first } = await bench.loggedIn('alice');
    const { record: second } = await bench.registry.start('connection', 'anonymous');
    const hold = shared.hold(second.ref, { provider: 'idp', subject: 'alice' });
    expect(await isShared(first)).toBe(true);
    expect(await isShared(second)).toBe(true);
    await bench.accounts.commitLogin(snapshotOf(second), 'idp', { ...bench.provider.grant('alice'), hold });
    await bench.registry.signOut(first.ref, 'logout');
    expect(await isShared(second)).toBe(false);
    expect(shared.size).toBe(1);
  });

  it('is revoked by the end of a session whose login is being committed', async () => {
    const { bench, shared } = setUp();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const hold = shared.hold(record.ref, { provider: 'idp', subject: 'alice' });
    const { update } = bench.registry;
    bench.registry.update = async (...parameters) => {
      const changed = await update.apply(bench.registry, parameters);
      await bench.registry.end(record.ref, 'deleted');
      await bench.disposal.settled();
      return changed;
    };
    await bench.accounts.commitLogin(snapshotOf(record), 'idp', { ...bench.provider.grant('alice'), hold });
    expect(bench.provider.revoked).toHaveLength(2);
    expect(shared.size).toBe(0);
  });

  it('is revoked by the end of a session that a pending handle becomes', async () => {
    const { bench, shared } = setUp();
    const { record: pending } = await bench.loggedIn('alice', 'pending-handle');
    const latest = await bench.registry.get(pending.ref);
    const { update } = bench.registry;
    bench.registry.update = async (...parameters) => {
      const changed = await update.apply(bench.registry, parameters);
      await bench.registry.end(parameters[0], 'shutdown');
      await bench.disposal.settled();
      return changed;
    };
    await (latest && bench.accounts.promote(latest));
    expect(bench.provider.revoked).toHaveLength(2);
    expect(shared.size).toBe(0);
  });

  it('is in use by an account whose refreshed tokens the store did not keep', async () => {
    const { bench } = setUp();
    const { record } = await bench.loggedIn('alice');
    bench.provider.holds = true;
    const refreshed = bench.refresher.refresh(record.ref, 'idp', 1).catch((error: unknown) => error);
    await bench.clock.advance(0);
    bench.registry.update = () => Promise.reject<never>(new Error('down'));
    bench.provider.held[0]?.answer(bench.provider.granted('refresh-alice-1'));
    await bench.clock.advance(62_000);
    expect(await refreshed).toMatchObject({ message: 'down' });
    expect([bench.provider.revoked, bench.eventsOf('account.revoked')]).toEqual([[], []]);
  });

  it('is not in use because of an event that came late', async () => {
    const { bench, shared, isShared } = setUp();
    const { record: first } = await bench.loggedIn('alice');
    const { record: second } = await bench.loggedIn('alice');
    const [, authenticated] = bench.eventsOf('account.authenticated');
    await bench.registry.signOut(second.ref, 'logout');
    if (authenticated) shared.handleEvent(authenticated);
    expect(shared.size).toBe(2);
    expect(await isShared(first)).toBe(false);
    await bench.registry.end(second.ref, 'deleted');
    if (authenticated) shared.handleEvent(authenticated);
    expect(shared.size).toBe(1);
  });

  it('counts as used while the store is down: nothing is revoked that may be in use', async () => {
    const { bench, shared, isShared } = setUp();
    const { record: first } = await bench.loggedIn('alice');
    await bench.loggedIn('alice');
    const { get } = bench.registry;
    bench.registry.get = (ref) =>
      ref === first.ref ? get.call(bench.registry, ref) : Promise.reject(new Error('down'));
    expect(await isShared(first)).toBe(true);
    expect(shared.size).toBe(2);
  });

  it('is not followed at other providers', async () => {
    const { bench, shared } = setUp();
    const { snapshot } = await bench.loggedIn('alice');
    await bench.accounts.commitLogin(snapshot, 'other', bench.provider.grant('alice'));
    expect(shared.size).toBe(1);
  });
});
