import { describe, expect, it } from 'vitest';
import { SessionBench, type SessionBenchOptions } from '../../../../test/support/session-bench.js';
import { storeUnavailable } from '../errors.js';
import { ownerOf } from './ids.js';
import type { SessionRecord } from './session-record.js';
import type { SessionStore } from './session-store.js';

const SECOND = 1000;
/** The time after which the store wipes what a session had, whatever its callers do. */
const UNTIL_WIPED_MS = 5000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const ALICE = { issuer: 'https://as.test', subject: 'alice', clientId: 'client' };

describe('a session', () => {
  it('starts without a login, emits an event, and is found only by its id', async () => {
    const bench = new SessionBench();
    await bench.clock.advance(7 * SECOND);
    const { id, record } = await bench.registry.start('connection', 'a user');
    expect(record).toMatchObject({
      kind: 'connection',
      owner: 'a user',
      createdAtMs: 7 * SECOND,
      lastRequestAtMs: 7 * SECOND,
      epoch: 0,
      accounts: {},
    });
    expect(bench.events).toEqual([
      { type: 'session.started', ref: record.ref, epoch: 0, kind: 'connection' },
    ]);
    expect(await bench.registry.resolve('connection', id)).toEqual({ state: 'live', record });
    for (const other of ['', 'no id at all', record.ref, `${id} `])
      expect(await bench.registry.resolve('connection', other)).toEqual({ state: 'unknown' });
  });

  it('is not started when the store refuses it, and nothing is kept of it', async () => {
    const bench = new SessionBench({ maxSessions: 1 });
    bench.store.insert = () => ({ kind: 'exists' });
    await expect(bench.registry.start('connection', 'anonymous')).rejects.toThrow('minted twice');
    expect(await bench.sessionCount()).toBe(0);
    expect(bench.events).toEqual([]);
    await expect(bench.registry.start('connection', 'anonymous')).rejects.toThrow('minted twice');
  });

  it('is not left in the store when only the answer to its start was lost', async () => {
    const bench = new SessionBench();
    const { store } = bench;
    const insert = store.insert.bind(store);
    store.insert = async (...given) => {
      await insert(...given);
      throw storeUnavailable(new Error('lost'));
    };
    await expect(bench.registry.start('connection', 'anonymous')).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect((await store.refs()).refs).toEqual([]);
  });

  it('has one signal until it is signed out, and none that is not aborted once it has ended', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    const signal = bench.registry.signalOf(record);
    expect(bench.registry.signalOf(record)).toBe(signal);
    await bench.registry.end(record.ref, 'deleted');
    expect(signal.reason).toMatchObject({
      code: 'signed_out',
      message: expect.stringMatching(/Call the `login` tool/),
    });
    expect(bench.registry.signalOf(record).reason).toMatchObject({ code: 'signed_out' });
  });
});

describe('a 2025 connection', () => {
  it('is signed out when idle, and goes on as anonymous under the same id [security 34, 35]', async () => {
    const bench = new SessionBench();
    const { id, record } = await bench.loggedIn('alice');
    await bench.clock.advance(29 * MINUTE);
    expect(Object.keys((await bench.registry.get(record.ref))?.accounts ?? {})).toEqual(['idp']);

    await bench.clock.advance(2 * MINUTE);
    const resolved = await bench.registry.resolve('connection', id);
    expect(resolved).toMatchObject({ state: 'live', record: { accounts: {}, signedOut: 'idle' } });
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
  });

  it('is not idle while its client asks for something', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    for (let request = 0; request < 10; request++) {
      await bench.clock.advance(20 * MINUTE);
      await bench.registry.touch(record.ref);
    }
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
  });

  it('is not idle right after a login that took its user longer than that', async () => {
    const bench = new SessionBench({ lifetimes: { idleMs: MINUTE } });
    const { record } = await bench.registry.start('connection', 'anonymous');
    await bench.clock.advance(5 * MINUTE);
    await bench.accounts.commitLogin({ ref: record.ref, epoch: 0 }, 'idp', bench.provider.grant('alice'));
    await bench.clock.advance(50 * SECOND);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
    await bench.clock.advance(20 * SECOND);
    expect(bench.eventsOf('session.signed_out')).toHaveLength(1);
  });

  it('is not idle while a stream is open, but its absolute lifetime runs [security 36]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    bench.registry.streamOpened(record.ref);
    await bench.clock.advance(11 * HOUR);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
    await bench.clock.advance(2 * HOUR);
    expect(bench.eventsOf('session.signed_out').map(({ reason }) => reason)).toEqual(['absolute']);
  });

  it('is signed out when its client was disconnected for the grace [security 35, 36]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    bench.registry.streamOpened(record.ref)('client');
    await bench.clock.advance(119 * SECOND);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
    await bench.clock.advance(2 * SECOND);
    expect(bench.eventsOf('session.signed_out').map(({ reason }) => reason)).toEqual(['disconnect']);
  });

  it.each(['opens its stream again', 'sends a request'])(
    'keeps its login when its client %s within the grace',
    async (what) => {
      const bench = new SessionBench();
      const { record } = await bench.loggedIn('alice');
      bench.registry.streamOpened(record.ref)('client');
      await bench.clock.advance(100 * SECOND);
      if (what === 'sends a request') await bench.registry.touch(record.ref);
      else bench.registry.streamOpened(record.ref);
      await bench.clock.advance(10 * MINUTE);
      expect(bench.eventsOf('session.signed_out')).toEqual([]);
    },
  );

  it('is wiped at once when there is no grace', async () => {
    const bench = new SessionBench({ lifetimes: { disconnectGraceMs: 0 } });
    const { record } = await bench.loggedIn('alice');
    bench.registry.streamOpened(record.ref)('client');
    await bench.clock.advance(0);
    expect((await bench.registry.get(record.ref))?.signedOut).toBe('disconnect');
  });

  it('does not count a stream that the server closed as a disconnect [security 36]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    bench.registry.streamOpened(record.ref)('server');
    await bench.clock.advance(20 * MINUTE);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
  });

  it('is not signed out while a request of its client waits for its answer, and then is idle from that on [security 34, 36]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    const endRequest = bench.registry.requestBegan(record.ref);
    await bench.clock.advance(2 * HOUR);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
    endRequest('server');
    endRequest('server');
    await bench.clock.advance(29 * MINUTE);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
    await bench.clock.advance(2 * MINUTE);
    expect(bench.eventsOf('session.signed_out')).toMatchObject([{ reason: 'idle' }]);
  });

  it('is signed out in the middle of a request when its login has reached its longest lifetime [security 34]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    bench.registry.requestBegan(record.ref);
    await bench.clock.advance(12 * HOUR + SECOND);
    expect(bench.eventsOf('session.signed_out')).toMatchObject([{ reason: 'absolute' }]);
  });

  it.each([
    { what: 'got', by: 'server', reasons: [] },
    { what: 'did not wait for', by: 'client', reasons: [{ reason: 'disconnect' }] },
  ] as const)(
    'whose stream is lost while a request is served is signed out after the grace if it $what the answer: $reasons [security 36]',
    async ({ by, reasons }) => {
      const bench = new SessionBench();
      const { record } = await bench.loggedIn('alice');
      const closed = bench.registry.streamOpened(record.ref);
      const endRequest = bench.registry.requestBegan(record.ref);
      closed('client');
      await bench.clock.advance(10 * MINUTE);
      expect(bench.eventsOf('session.signed_out')).toEqual([]);
      endRequest(by);
      await bench.clock.advance(MINUTE);
      expect(bench.eventsOf('session.signed_out')).toEqual([]);
      await bench.clock.advance(2 * MINUTE);
      expect(bench.eventsOf('session.signed_out')).toMatchObject(reasons);
    },
  );

  it('has nothing to do with a request that is answered after it has ended and begun anew', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    const endRequest = bench.registry.requestBegan(record.ref);
    await bench.registry.end(record.ref, 'deleted');
    endRequest('server');
    expect(bench.registry.presenceOf(record.ref)).toEqual({ openStreams: 0, requests: 0 });
    bench.registry.requestBegan(record.ref)('server');
    await bench.clock.advance(UNTIL_WIPED_MS);
    expect(bench.clock.timers).toBe(0);
  });

  it('is present until the last of its streams is closed, each of which counts once [security 36]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    const closeFirst = bench.registry.streamOpened(record.ref);
    const closeSecond = bench.registry.streamOpened(record.ref);
    expect(bench.registry.presenceOf(record.ref)).toEqual({ openStreams: 2, requests: 0 });
    closeFirst('client');
    closeFirst('client');
    expect(bench.registry.presenceOf(record.ref)).toMatchObject({ openStreams: 1, requests: 0 });
    await bench.clock.advance(HOUR);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
    closeSecond('client');
    await bench.clock.advance(2 * MINUTE);
    expect(bench.eventsOf('session.signed_out').map(({ reason }) => reason)).toEqual(['disconnect']);
  });

  it('leaves no presence behind when it ends before its streams [security 38]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    const close = bench.registry.streamOpened(record.ref);
    await bench.registry.end(record.ref, 'deleted');
    close('client');
    bench.registry.streamOpened(record.ref)('client');
    bench.registry.streamOpened(record.ref);
    expect(bench.registry.presenceOf(record.ref)).toEqual({ openStreams: 0, requests: 0 });
    await bench.clock.advance(HOUR);
    expect(bench.errors).toEqual([]);
    expect(bench.clock.timers).toBe(0);
  });

  it('ends as soon as it is looked at, when a day has passed unnoticed', async () => {
    const bench = new SessionBench();
    const { id } = await bench.loggedIn('alice');
    bench.clock.jump(25 * HOUR);
    expect((await bench.registry.resolve('connection', id)).state).toBe('ended');
  });

  it('ends after a day without a request', async () => {
    const bench = new SessionBench();
    const { id } = await bench.registry.start('connection', 'anonymous');
    await bench.clock.advance(23 * HOUR);
    expect((await bench.registry.resolve('connection', id)).state).toBe('live');
    await bench.clock.advance(2 * HOUR);
    expect((await bench.registry.resolve('connection', id)).state).toBe('unknown');
    expect(await bench.sessionCount()).toBe(0);
  });
});

describe('a 2026 handle', () => {
  it('ends with its login, and its client gets the reason for ten minutes [security 34, 38, 55]', async () => {
    const bench = new SessionBench();
    const { id } = await bench.loggedIn('alice', 'handle');
    await bench.clock.advance(31 * MINUTE);
    expect(await bench.registry.resolve('handle', id)).toEqual({ state: 'ended', reason: 'idle' });
    await bench.clock.advance(11 * MINUTE);
    expect(await bench.registry.resolve('handle', id)).toEqual({ state: 'unknown' });
  });

  it('is not found as a connection, nor a connection as a handle [security 54]', async () => {
    const bench = new SessionBench();
    const handle = await bench.loggedIn('alice', 'handle');
    const connection = await bench.loggedIn('bob', 'connection');
    expect((await bench.registry.resolve('connection', handle.id)).state).toBe('unknown');
    expect((await bench.registry.resolve('handle', connection.id)).state).toBe('unknown');
  });

  it('that is pending expires when the login is not finished in time', async () => {
    const bench = new SessionBench();
    const { id } = await bench.registry.start('pending-handle', 'anonymous');
    await bench.clock.advance(11 * MINUTE);
    expect(await bench.registry.resolve('handle', id)).toEqual({ state: 'ended', reason: 'login_expired' });
  });

  it('that is pending becomes another handle, with the account and without a revocation [security 7]', async () => {
    const bench = new SessionBench();
    const { id, record } = await bench.loggedIn('alice', 'pending-handle');
    const pending = await bench.registry.get(record.ref);
    const promoted = pending && (await bench.accounts.promote(pending));
    expect(promoted?.id).not.toBe(id);
    expect(await bench.registry.resolve('handle', id)).toEqual({ state: 'ended', reason: 'replaced' });
    const snapshot = { ref: promoted?.record.ref ?? record.ref, epoch: 0 };
    expect(await bench.accessToken(snapshot)).toBe('access-alice-1');
    expect(bench.provider.revoked).toEqual([]);
  });
});

describe('signing out and ending', () => {
  it('happen once, however often they are asked for [security 34]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    await Promise.all([
      bench.registry.signOut(record.ref, 'logout'),
      bench.registry.signOut(record.ref, 'logout'),
      bench.registry.end(record.ref, 'deleted'),
      bench.registry.end(record.ref, 'deleted'),
    ]);
    await bench.disposal.settled();
    expect(bench.eventsOf('session.ended')).toHaveLength(1);
    expect(bench.eventsOf('account.revoked')).toHaveLength(1);
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
  });

  it('wipe before any provider is asked [security 34]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    const sealed = (await bench.registry.get(record.ref))?.accounts.idp?.sealed;
    await bench.registry.end(record.ref, 'deleted');
    expect(sealed?.bytes.every((byte) => byte === 0)).toBe(true);
    expect(sealed?.salt.every((byte) => byte === 0)).toBe(true);
  });

  it('abort what runs in the session', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    const signal = bench.registry.signalOf(record);
    await bench.registry.signOut(record.ref, 'logout');
    expect(signal.aborted).toBe(true);
    expect(bench.registry.signalOf({ ref: record.ref, epoch: 1 }).aborted).toBe(false);
  });

  it('abort what begins later with the session of before', async () => {
    const bench = new SessionBench();
    const { record } = await bench.loggedIn('alice');
    await bench.accounts.commitLogin(record, 'idp', bench.provider.grant('bob'));
    const current = bench.registry.signalOf({ ref: record.ref, epoch: 1 });
    expect(bench.registry.signalOf(record).reason).toMatchObject({ code: 'signed_out' });
    expect(current.aborted).toBe(false);
  });

  it('void a session object that a tool has kept, also after the next login [security 10]', async () => {
    const bench = new SessionBench();
    const { record, snapshot } = await bench.loggedIn('alice');
    await bench.registry.signOut(record.ref, 'logout');
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'signed_out' });
    await bench.accounts.commitLogin({ ref: record.ref, epoch: 1 }, 'idp', bench.provider.grant('bob'));
    await expect(bench.accessToken(snapshot)).rejects.toMatchObject({ code: 'signed_out' });
  });

  it('void older snapshots, also without a login [security 22]', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const snapshot = { ref: record.ref, epoch: record.epoch };
    const { revoked } = await bench.registry.signOut(record.ref, 'logout');
    expect(await revoked).toEqual([]);
    expect((await bench.registry.get(record.ref))?.epoch).toBe(1);
    expect((await bench.registry.get(record.ref))?.signedOut).toBeUndefined();
    expect(await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('late'))).toBeUndefined();
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
  });

  it('report the revocations, and none for an ended session', async () => {
    const bench = new SessionBench();
    const signedOut = await bench.loggedIn('alice');
    const ended = await bench.loggedIn('bob');
    const report = [{ provider: 'idp', revocation: 'confirmed' }];
    expect(await (await bench.registry.signOut(signedOut.record.ref, 'logout')).revoked).toEqual(report);
    expect(await (await bench.registry.end(ended.record.ref, 'deleted')).revoked).toEqual(report);
    expect(await (await bench.registry.end(ended.record.ref, 'deleted')).revoked).toEqual([]);
    expect(await (await bench.registry.signOut(ended.record.ref, 'logout')).revoked).toEqual([]);
    expect(bench.eventsOf('session.signed_out')).toEqual([
      { type: 'session.signed_out', ref: signedOut.record.ref, epoch: 0, reason: 'logout' },
    ]);
    expect(bench.eventsOf('session.ended')).toEqual([
      { type: 'session.ended', ref: ended.record.ref, epoch: 0, reason: 'deleted' },
    ]);
  });

  it('of a 2026 handle are the same [security 34]', async () => {
    const bench = new SessionBench();
    const { id, record } = await bench.loggedIn('alice', 'handle');
    await bench.registry.signOut(record.ref, 'logout');
    expect(await bench.registry.resolve('handle', id)).toEqual({ state: 'ended', reason: 'logout' });
  });

  it('happen to every session at shutdown, and what the store does not give up is reported [security 34]', async () => {
    const bench = new SessionBench();
    const { store } = bench;
    await bench.loggedIn('alice');
    const { record: stuck } = await bench.loggedIn('bob');
    await bench.registry.start('connection', 'anonymous');
    const take = store.take.bind(store);
    store.take = (ref, reason) =>
      ref === stuck.ref ? Promise.reject(storeUnavailable(new Error('down'))) : take(ref, reason);
    const ending = bench.registry.endAll('shutdown');
    await bench.clock.advance(SECOND);
    await ending;
    expect(bench.eventsOf('session.ended').map(({ reason }) => reason)).toEqual(['shutdown', 'shutdown']);
    expect(bench.errors).toMatchObject([{ code: 'store_unavailable' }]);
    expect(await bench.sessionCount()).toBe(1);
  });

  it('leave nothing behind but a tombstone [security 38]', async () => {
    const bench = new SessionBench();
    for (let round = 0; round < 2000; round++) {
      const { record } = await bench.loggedIn(`user${round}`, round % 2 ? 'handle' : 'connection');
      await bench.registry.end(record.ref, 'deleted');
    }
    expect(await bench.sessionCount()).toBe(0);
    expect(bench.deadlines.size).toBe(0);
    await bench.clock.advance(UNTIL_WIPED_MS);
    expect(bench.clock.timers).toBe(0);
  });
});

describe('a store that is slow, and loses answers', () => {
  /** Answers calls of `method` only when told to, or loses their answers. */
  function benchWith(
    method: 'get' | 'replace' | 'take',
    answer: () => Promise<void>,
    options: SessionBenchOptions = {},
  ): SessionBench {
    const bench = new SessionBench(options);
    const { store } = bench;
    const original = store[method].bind(store) as (...parameters: unknown[]) => unknown;
    const slow = async (...parameters: unknown[]) => {
      const result = await original(...parameters);
      await answer();
      return result;
    };
    Object.assign(store, { [method]: slow } satisfies Partial<Record<keyof SessionStore, unknown>>);
    return bench;
  }

  it('does not make a login revoke itself when only its answer was lost', async () => {
    let losses = 0;
    const bench = benchWith('replace', async () => {
      if (losses-- <= 0) return;
      // Another caller changes the record before the login reads it again.
      await bench.registry.update(record.ref, () => ({ signedOut: undefined }));
      throw storeUnavailable(new Error('lost'));
    });
    const { record } = await bench.registry.start('connection', 'anonymous');
    losses = 1;
    const granted = bench.provider.grant('alice');
    expect(await bench.accounts.commitLogin({ ref: record.ref, epoch: 0 }, 'idp', granted)).toBe(1);
    expect(bench.provider.revoked).toEqual([]);
    expect(bench.eventsOf('account.authenticated').map(({ generation }) => generation)).toEqual([1]);
  });

  it('does not keep an end from wiping and revoking when only its answer was lost', async () => {
    let losses = 0;
    const bench = benchWith('take', async () => {
      if (losses-- > 0) throw storeUnavailable(new Error('lost'));
    });
    const { record } = await bench.loggedIn('alice');
    losses = 1;
    await (await bench.registry.end(record.ref, 'deleted')).revoked;
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
  });

  it('does not end a session again that has made room for another one meanwhile', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const take = bench.store.take.bind(bench.store);
    bench.store.take = async (ref) => {
      await take(ref, 'cap');
      throw storeUnavailable(new Error('lost'));
    };
    expect(await bench.registry.end(record.ref, 'deleted')).toMatchObject({ isDone: false });
    expect(bench.eventsOf('session.ended')).toEqual([]);
  });

  it('does not keep an end from revoking when the next session of the same owner has begun since', async () => {
    const bench = new SessionBench();
    const owner = ownerOf(bench.keys, ALICE);
    const first = await bench.registry.ofOwner(owner);
    await bench.accounts.commitLogin(first, 'idp', bench.provider.grant('alice'));
    const take = bench.store.take.bind(bench.store);
    bench.store.take = async (...given) => {
      await take(...given);
      bench.clock.jump(1);
      await bench.registry.ofOwner(owner);
      throw storeUnavailable(new Error('lost'));
    };
    expect(await bench.registry.end(first.ref, 'deleted')).toMatchObject({ isDone: true });
    await bench.disposal.settled();
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
    expect(await bench.registry.get(first.ref)).toMatchObject({ accounts: {} });
  });

  it('rejects with a clear error if it stays unavailable', async () => {
    const bench = benchWith('get', () =>
      Promise.reject(storeUnavailable(new Error('redis at 192.0.2.5 is down'))),
    );
    const { record } = await bench.registry.start('connection', 'anonymous');
    await expect(bench.registry.signOut(record.ref, 'logout')).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/Try again/),
    });
  });

  it('does not sign out a login that came while the clock was looked at', async () => {
    const answers: (() => void)[] = [];
    let isSlow = false;
    const bench = benchWith(
      'get',
      () => (isSlow ? new Promise((resolve) => answers.push(resolve)) : Promise.resolve()),
      { lifetimes: { idleMs: MINUTE } },
    );
    const { record, snapshot } = await bench.loggedIn('alice');
    isSlow = true;
    await bench.clock.advance(61 * SECOND);
    isSlow = false;
    await bench.registry.touch(record.ref);
    await bench.accounts.commitLogin(snapshot, 'idp', bench.provider.grant('alice'));
    for (const answer of answers) answer();
    await bench.clock.advance(SECOND);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
  });

  it.each([
    { lost: 1, asked: 2, isMade: true },
    { lost: 2, asked: 2, isMade: false },
  ])(
    'and $lost times in a row neither makes a change nor answers, is asked $asked times',
    async ({ lost, asked, isMade }) => {
      const bench = new SessionBench();
      const { record } = await bench.registry.start('connection', 'anonymous');
      let calls = 0;
      const replace = bench.store.replace.bind(bench.store);
      bench.store.replace = (...given) =>
        calls++ < lost ? Promise.reject(storeUnavailable(new Error('down'))) : replace(...given);
      const change = bench.registry.update(record.ref, () => ({ owner: 'a user' }));
      if (isMade) expect((await change)?.after.owner).toBe('a user');
      else await expect(change).rejects.toMatchObject({ code: 'store_unavailable', retryAfterSeconds: 1 });
      expect(calls).toBe(asked);
      expect((await bench.registry.get(record.ref))?.owner).toBe(isMade ? 'a user' : 'anonymous');
    },
  );

  it('does not apply a late change to the next session of the same owner', async () => {
    const bench = new SessionBench();
    const owner = ownerOf(bench.keys, ALICE);
    const { ref, epoch } = await bench.registry.ofOwner(owner);
    const replace = bench.store.replace.bind(bench.store);
    bench.store.replace = async (...late) => {
      bench.store.replace = replace;
      await bench.registry.end(ref, 'deleted');
      await bench.registry.ofOwner(owner);
      return replace(...late);
    };
    const change = (record: SessionRecord) =>
      record.epoch === epoch ? { formerSubjects: { idp: 'alice' } } : undefined;
    expect(await bench.registry.update(ref, change)).toBeUndefined();
    const next = await bench.registry.get(ref);
    expect(next?.epoch).not.toBe(epoch);
    expect(next?.formerSubjects).toBeUndefined();
  });

  it('is not asked again for a change that took place, although its answer was lost', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'anonymous');
    let calls = 0;
    const replace = bench.store.replace.bind(bench.store);
    bench.store.replace = async (...given) => {
      calls++;
      await replace(...given);
      throw storeUnavailable(new Error('lost'));
    };
    const changed = await bench.registry.update(record.ref, ({ owner }) => ({ owner: `${owner}!` }));
    expect([changed?.before.owner, changed?.after.owner, calls]).toEqual(['anonymous', 'anonymous!', 1]);
  });

  it('does not postpone a session by what it was before a login', async () => {
    const bench = new SessionBench();
    const { record } = await bench.registry.start('connection', 'anonymous');
    const postpone = bench.store.postpone.bind(bench.store);
    bench.store.postpone = async (...late) => {
      bench.store.postpone = postpone;
      await bench.accounts.commitLogin(record, 'idp', bench.provider.grant('alice'));
      await postpone(...late);
    };
    bench.registry.streamOpened(record.ref)('server');
    await bench.clock.advance(31 * MINUTE);
    expect(bench.eventsOf('session.signed_out')).toMatchObject([{ reason: 'idle' }]);
  });

  it('and fails when the time of a session has come, is asked again a second later', async () => {
    let isDown = false;
    const bench = benchWith('get', () =>
      isDown ? Promise.reject(storeUnavailable(new Error('down'))) : Promise.resolve(),
    );
    await bench.loggedIn('alice');
    isDown = true;
    await bench.clock.advance(30 * MINUTE + 500);
    expect(bench.errors).toMatchObject([{ code: 'store_unavailable' }]);
    isDown = false;
    await bench.clock.advance(400);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
    await bench.clock.advance(200);
    expect(bench.eventsOf('session.signed_out').map(({ reason }) => reason)).toEqual(['idle']);
  });

  it('and fails when a session has just ended, starts nothing for it again', async () => {
    let answer: (() => void) | undefined;
    let isSlow = false;
    const bench = benchWith('get', () =>
      isSlow
        ? new Promise((_resolve, reject) => {
            answer = () => reject(storeUnavailable(new Error('down')));
          })
        : Promise.resolve(),
    );
    const { record } = await bench.loggedIn('alice');
    isSlow = true;
    await bench.clock.advance(31 * MINUTE);
    isSlow = false;
    await bench.registry.end(record.ref, 'deleted');
    answer?.();
    await bench.clock.advance(UNTIL_WIPED_MS);
    expect(bench.clock.timers).toBe(0);
    expect(await bench.sessionCount()).toBe(0);
  });
});
