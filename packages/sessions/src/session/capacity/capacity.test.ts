import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../../test/support/session-bench.js';
import { clientKeyOf } from '../../limits/client-key.js';
import { ownerOf, type SessionRef } from '../ids.js';

const MINUTE = 60_000;
const here = clientKeyOf('192.0.2.1');
const elsewhere = clientKeyOf('192.0.2.2');

/** A session of an address in which a user was logged in once. */
async function signedOut(bench: SessionBench, subject: string, clientKey = here): Promise<SessionRef> {
  const { ref, epoch } = (await bench.registry.start('connection', 'anonymous', clientKey)).record;
  await bench.accounts.commitLogin({ ref, epoch }, 'idp', bench.provider.grant(subject));
  await bench.registry.signOut(ref, 'idle');
  return ref;
}

/** Starts sessions of an address. @returns how many of them are there when all have started */
async function startAll(bench: SessionBench, count: number, clientKey = elsewhere): Promise<number> {
  const refs: SessionRef[] = [];
  for (let number = 0; number < count; number++) {
    refs.push((await bench.registry.start('connection', 'anonymous', clientKey)).record.ref);
  }
  await bench.clock.advance(0);
  return refs.filter((ref) => bench.registry.has(ref)).length;
}

describe('a full node', () => {
  it('evicts the longest idle session without a login [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 3 });
    await bench.loggedIn('alice');
    const first = await bench.registry.start('connection', 'anonymous');
    const second = await bench.registry.start('connection', 'anonymous');
    await bench.registry.touch(first.record.ref);
    await bench.registry.start('connection', 'anonymous');
    await bench.clock.advance(0);
    expect((await bench.registry.resolve('connection', first.id)).state).toBe('live');
    expect(await bench.registry.resolve('connection', second.id)).toEqual({ state: 'ended', reason: 'cap' });
  });

  it('evicts a session after its sign-out like one that never had a login [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 2 });
    const { id, record } = await bench.loggedIn('alice');
    await bench.loggedIn('bob');
    await bench.registry.signOut(record.ref, 'logout');
    await bench.registry.start('connection', 'anonymous');
    await bench.clock.advance(0);
    expect(await bench.registry.resolve('connection', id)).toEqual({ state: 'ended', reason: 'cap' });
  });

  it('never evicts a session with a login, and says when to retry [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 2 });
    await bench.loggedIn('alice');
    await bench.loggedIn('bob');
    const refused = bench.registry.start('connection', 'anonymous');
    await expect(refused).rejects.toMatchObject({
      code: 'limit_reached',
      message: expect.stringMatching(/Try again in a minute/),
      retryAfterSeconds: 60,
    });
    expect(await bench.sessionCount()).toBe(2);
    expect(bench.eventsOf('session.refused')).toEqual([{ type: 'session.refused', reason: 'cap' }]);
  });

  it('limits sessions without a login, and not those with one [security 40]', async () => {
    const bench = new SessionBench({ maxSessions: 10, maxAnonymousSessions: 2 });
    for (const subject of ['alice', 'bob', 'carol']) await bench.loggedIn(subject);
    expect(await startAll(bench, 5)).toBe(2);
    expect(await bench.sessionCount()).toBe(5);
    await Promise.allSettled(
      Array.from({ length: 20 }, () => bench.registry.start('connection', 'anonymous')),
    );
    await bench.clock.advance(0);
    expect(await bench.sessionCount()).toBe(5);
  });

  it('lets in no more than it may, however many come at once [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 10 });
    await Promise.allSettled(
      Array.from({ length: 60 }, () => bench.registry.start('connection', 'anonymous')),
    );
    await bench.clock.advance(0);
    expect(await bench.sessionCount()).toBeLessThanOrEqual(10);
  });

  it('keeps a session if its login completes first, and voids a later login [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 1 });
    const { id, record } = await bench.registry.start('connection', 'anonymous');
    const snapshot = { ref: record.ref, epoch: 0 };
    const login = bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    const [isLoggedIn] = await Promise.all([login, bench.registry.start('connection', 'anonymous')]);
    await bench.clock.advance(0);
    const { state } = await bench.registry.resolve('connection', id);
    expect(state).toBe(isLoggedIn ? 'live' : 'ended');
  });

  it('evicts sessions of the account with the most sessions, not of new clients [security 39, 41]', async () => {
    const bench = new SessionBench({ maxSessions: 50 });
    while ((await bench.sessionCount()) < 50)
      await signedOut(bench, 'mallory', clientKeyOf(`192.0.2.${await bench.sessionCount()}`));
    expect(await startAll(bench, 10)).toBe(10);
  });

  it('takes from those who were logged in once no more than from others who hold as many [security 39, 41]', async () => {
    const bench = new SessionBench({ maxSessions: 4 });
    const users = [
      await signedOut(bench, 'alice'),
      await signedOut(bench, 'bob'),
      await signedOut(bench, 'carol'),
    ];
    expect(await startAll(bench, 20)).toBe(2);
    expect(users.map((ref) => bench.registry.has(ref))).toEqual([false, true, true]);
  });

  it('evicts the longest idle session of an account [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 3 });
    const first = await signedOut(bench, 'alice');
    const second = await signedOut(bench, 'alice');
    const third = await signedOut(bench, 'alice');
    await bench.registry.touch(first);
    await startAll(bench, 1);
    expect([first, second, third].map((ref) => bench.registry.has(ref))).toEqual([true, false, true]);
  });

  it('takes from the user who comes with most clients, not from another user [security 39, 41]', async () => {
    const bench = new SessionBench({ maxSessions: 30 });
    const sessionOf = (subject: string, clientId: string) =>
      bench.registry.ofOwner(ownerOf(bench.keys, { issuer: 'https://auth.test', subject, clientId }));
    const victim = await sessionOf('alice', 'editor');
    for (let client = 0; client < 60; client++) await sessionOf('mallory', `registered-${client}`);
    await bench.clock.advance(0);
    expect(bench.registry.has(victim.ref)).toBe(true);
    expect(await bench.sessionCount()).toBe(30);
  });
});

describe('the sessions of an address', () => {
  const LIMITS = { anonymousSessionsPerAddress: 200 };
  const start = (bench: SessionBench, clientKey = here) =>
    bench.registry.start('connection', 'anonymous', clientKey);

  it('are limited while they have no login, and the refusal says when to retry [security 39]', async () => {
    const bench = new SessionBench({ limits: LIMITS });
    const outcomes = await Promise.allSettled(Array.from({ length: 250 }, () => start(bench)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(200);
    await bench.clock.advance(4 * MINUTE);
    await expect(start(bench)).rejects.toMatchObject({
      code: 'too_many_requests',
      message: expect.stringContaining('Try again in 6 minutes'),
      retryAfterSeconds: 360,
    });
    expect(bench.eventsOf('session.refused')).toHaveLength(51);
    expect(bench.eventsOf('session.refused')[0]).toMatchObject({ reason: 'address' });
    await expect(start(bench, elsewhere)).resolves.toBeDefined();
    await expect(bench.registry.start('connection', 'anonymous')).resolves.toBeDefined();
  });

  it('are evicted for one another after ten minutes without a request of an absent client [security 39]', async () => {
    const bench = new SessionBench({ limits: LIMITS });
    const sessions = await Promise.all(Array.from({ length: 200 }, () => start(bench)));
    const [present, used, quiet] = sessions;
    if (!present || !used || !quiet) throw new Error('There are 200.');
    bench.registry.streamOpened(present.record.ref);
    await bench.clock.advance(9 * MINUTE);
    await bench.registry.touch(used.record.ref);
    await bench.clock.advance(MINUTE);
    await start(bench);
    await bench.clock.advance(0);
    expect(await bench.registry.resolve('connection', quiet.id)).toEqual({ state: 'ended', reason: 'cap' });
    expect(bench.eventsOf('session.ended')).toHaveLength(1);
  });

  it('do not count after a login or their end [security 39]', async () => {
    const bench = new SessionBench({ limits: LIMITS });
    const sessions = await Promise.all(Array.from({ length: 200 }, () => start(bench)));
    const [first, second] = sessions;
    if (!first || !second) throw new Error('There are 200.');
    const snapshot = { ref: first.record.ref, epoch: 0 };
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    await start(bench);
    await bench.registry.signOut(first.record.ref, 'logout');
    await expect(start(bench)).rejects.toThrow('Too many sessions');
    await bench.registry.end(second.record.ref, 'deleted');
    await start(bench);
    await expect(start(bench)).rejects.toThrow('Too many sessions');
  });

  it('make room on a full node where an address has most of them [security 39, 41]', async () => {
    const bench = new SessionBench({ maxSessions: 50 });
    const alone = await start(bench, elsewhere);
    for (let count = 0; count < 200; count++) await start(bench);
    await bench.clock.advance(0);
    expect((await bench.registry.resolve('connection', alone.id)).state).toBe('live');
    expect(await bench.sessionCount()).toBeLessThanOrEqual(50);
  });
});
