import { describe, expect, it } from 'vitest';
import { MapSessionStore } from '../store/map-session-store.js';
import { SessionBench } from '../testing/session-bench.js';
import type { SessionStore } from './session-store.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

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
    const { record } = await bench.registry.start('connection', 'holder');
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

  it('is signed out when its client has gone for the grace [security 35, 36]', async () => {
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

  it('ends after a day unheard', async () => {
    const bench = new SessionBench();
    const { id } = await bench.registry.start('connection', 'holder');
    await bench.clock.advance(23 * HOUR);
    expect((await bench.registry.resolve('connection', id)).state).toBe('live');
    await bench.clock.advance(2 * HOUR);
    expect((await bench.registry.resolve('connection', id)).state).toBe('unknown');
    expect(bench.registry.size).toBe(0);
  });
});

describe('a 2026 handle', () => {
  it('ends with its login, and whoever holds it is told why for ten minutes [security 34, 38, 55]', async () => {
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
    const { id } = await bench.registry.start('pending-handle', 'holder');
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
    const lease = { ref: promoted?.record.ref ?? record.ref, epoch: 0 };
    expect(await bench.accessToken(lease)).toBe('access-alice-1');
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
    const signal = bench.registry.signalOf(record.ref);
    await bench.registry.signOut(record.ref, 'logout');
    expect(signal.aborted).toBe(true);
    expect(bench.registry.signalOf(record.ref).aborted).toBe(false);
  });

  it('make a session object that somebody kept useless, also after the next login [security 10]', async () => {
    const bench = new SessionBench();
    const { record, lease } = await bench.loggedIn('alice');
    await bench.registry.signOut(record.ref, 'logout');
    await expect(bench.accessToken(lease)).rejects.toMatchObject({ code: 'signed_out' });
    await bench.accounts.commitLogin({ ref: record.ref, epoch: 1 }, 'idp', bench.provider.grant('bob'));
    await expect(bench.accessToken(lease)).rejects.toMatchObject({ code: 'signed_out' });
  });

  it('leave nothing behind but a tombstone [security 38]', async () => {
    const bench = new SessionBench();
    for (let round = 0; round < 2000; round++) {
      const { record } = await bench.loggedIn(`user${round}`, round % 2 ? 'handle' : 'connection');
      await bench.registry.end(record.ref, 'deleted');
    }
    expect(bench.registry.size).toBe(0);
    expect(bench.deadlines.size).toBe(0);
    expect(bench.clock.timers).toBe(0);
  });
});

describe('a full node', () => {
  it('ends the longest-unheard session nobody is logged in to [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 3 });
    await bench.loggedIn('alice');
    const first = await bench.registry.start('connection', 'holder');
    const second = await bench.registry.start('connection', 'holder');
    await bench.registry.touch(first.record.ref);
    await bench.registry.start('connection', 'holder');
    await bench.clock.advance(0);
    expect((await bench.registry.resolve('connection', first.id)).state).toBe('live');
    expect(await bench.registry.resolve('connection', second.id)).toEqual({ state: 'ended', reason: 'cap' });
  });

  it('never ends a logged-in session for somebody else, but says when to come back [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 2 });
    await bench.loggedIn('alice');
    await bench.loggedIn('bob');
    const refused = bench.registry.start('connection', 'holder');
    await expect(refused).rejects.toMatchObject({ code: 'limit_reached', retryAfterSeconds: 60 });
    expect(bench.registry.size).toBe(2);
  });

  it('lets in no more than it may, however many come at once [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 10 });
    await Promise.allSettled(Array.from({ length: 60 }, () => bench.registry.start('connection', 'holder')));
    await bench.clock.advance(0);
    expect(bench.registry.size).toBeLessThanOrEqual(10);
  });

  it('spares a session that somebody is quicker to log in to, or takes no login [security 39]', async () => {
    const bench = new SessionBench({ maxSessions: 1 });
    const { id, record } = await bench.registry.start('connection', 'holder');
    const lease = { ref: record.ref, epoch: 0 };
    const login = bench.accounts.commitLogin(lease, 'idp', bench.provider.grant('alice'));
    const [isLoggedIn] = await Promise.all([login, bench.registry.start('connection', 'holder')]);
    await bench.clock.advance(0);
    const { state } = await bench.registry.resolve('connection', id);
    expect(state).toBe(isLoggedIn ? 'live' : 'ended');
  });
});

describe('a store that is slow, and loses answers', () => {
  /** Answers calls of `method` only when told to, or loses their answers. */
  function storeWith(method: 'get' | 'replace' | 'take', answer: () => Promise<void>): SessionStore {
    const store = new MapSessionStore();
    const original = store[method].bind(store) as (...parameters: unknown[]) => Promise<unknown>;
    const slow = async (...parameters: unknown[]) => {
      const result = await original(...parameters);
      await answer();
      return result;
    };
    return Object.assign(store, { [method]: slow });
  }

  it('does not make a login revoke itself when only its answer was lost', async () => {
    let losses = 0;
    const store = storeWith('replace', async () => {
      if (losses-- > 0) throw new Error('lost');
    });
    const bench = new SessionBench({ store });
    const { record } = await bench.registry.start('connection', 'holder');
    losses = 1;
    const login = bench.accounts.commitLogin(
      { ref: record.ref, epoch: 0 },
      'idp',
      bench.provider.grant('alice'),
    );
    await bench.clock.advance(10);
    // Somebody else changes the record before the login looks again.
    await bench.registry.update(record.ref, () => ({ signedOut: undefined }));
    await bench.clock.advance(1000);
    expect(await login).toBe(true);
    expect(bench.provider.revoked).toEqual([]);
    expect(bench.eventsOf('account.authenticated')).toHaveLength(1);
  });

  it('does not keep an end from wiping and revoking when only its answer was lost', async () => {
    let losses = 0;
    const store = storeWith('take', async () => {
      if (losses-- > 0) throw new Error('lost');
    });
    const bench = new SessionBench({ store });
    const { record } = await bench.loggedIn('alice');
    losses = 1;
    const ending = bench.registry.end(record.ref, 'deleted');
    await bench.clock.advance(1000);
    await (await ending).revoked;
    expect(bench.provider.revoked).toEqual(['refresh-alice-1', 'access-alice-1']);
  });

  it('says so in words for whoever waits, when it does not come back', async () => {
    const store = storeWith('get', () => Promise.reject(new Error('redis at 192.0.2.5 is down')));
    const bench = new SessionBench({ store });
    const { record } = await bench.registry.start('connection', 'holder');
    const signOut = bench.registry.signOut(record.ref, 'logout').catch((error: unknown) => error);
    await bench.clock.advance(1000);
    expect(await signOut).toMatchObject({ code: 'store_unavailable', message: /Try again/ });
  });

  it('does not sign out a login that came while the clock was looked at', async () => {
    const answers: (() => void)[] = [];
    let isSlow = false;
    const store = storeWith('get', () =>
      isSlow ? new Promise((resolve) => answers.push(resolve)) : Promise.resolve(),
    );
    const bench = new SessionBench({ store, lifetimes: { idleMs: MINUTE } });
    const { record, lease } = await bench.loggedIn('alice');
    isSlow = true;
    await bench.clock.advance(61 * SECOND);
    isSlow = false;
    await bench.registry.touch(record.ref);
    await bench.accounts.commitLogin(lease, 'idp', bench.provider.grant('alice'));
    for (const answer of answers) answer();
    await bench.clock.advance(SECOND);
    expect(bench.eventsOf('session.signed_out')).toEqual([]);
  });
});
