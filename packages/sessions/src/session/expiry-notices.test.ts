import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../test/support/session-bench.js';
import type { Lifetimes } from './lifetimes.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function setUp(lifetimes: Partial<Lifetimes> = {}) {
  const bench = new SessionBench({ lifetimes: { idleMs: 100 * HOUR_MS, ...lifetimes }, scheduler: true });
  return { bench, notices: () => bench.eventsOf('session.expires_soon') };
}

describe('the notice that a login is about to reach its longest lifetime', () => {
  it('is given five minutes ahead, once', async () => {
    const { bench, notices } = setUp();
    const { record } = await bench.loggedIn('alice');
    await bench.clock.advance(12 * HOUR_MS - 5 * MINUTE_MS - 1000);
    expect(notices()).toEqual([]);
    await bench.clock.advance(1200);
    expect(notices()).toEqual([{ type: 'session.expires_soon', ref: record.ref, epoch: 0 }]);
    await bench.clock.advance(4 * MINUTE_MS);
    expect(notices()).toHaveLength(1);
  });

  it('is given in the last fifth of a short lifetime', async () => {
    const { bench, notices } = setUp({ absoluteMs: 10 * MINUTE_MS });
    await bench.loggedIn('alice');
    await bench.clock.advance(8 * MINUTE_MS - 1000);
    expect(notices()).toEqual([]);
    await bench.clock.advance(1200);
    expect(notices()).toHaveLength(1);
  });

  it('is not put off by a login to a further provider', async () => {
    const { bench, notices } = setUp({ absoluteMs: 10 * MINUTE_MS });
    const { snapshot } = await bench.loggedIn('alice');
    await bench.clock.advance(7 * MINUTE_MS);
    await bench.accounts.commitLogin(snapshot, 'another', bench.provider.grant('alice'));
    await bench.clock.advance(MINUTE_MS + 200);
    expect(notices()).toHaveLength(1);
  });

  it('is not given for a login that is over, and counts anew for the next one', async () => {
    const { bench, notices } = setUp({ absoluteMs: 10 * MINUTE_MS });
    const { record } = await bench.loggedIn('alice');
    await bench.clock.advance(5 * MINUTE_MS);
    await bench.registry.signOut(record.ref, 'logout');
    await bench.accounts.commitLogin({ ref: record.ref, epoch: 1 }, 'idp', bench.provider.grant('alice'));
    await bench.clock.advance(7 * MINUTE_MS);
    expect(notices()).toEqual([]);
    await bench.clock.advance(MINUTE_MS + 200);
    expect(notices()).toHaveLength(1);
  });

  it('leaves no deadline behind when the session ends', async () => {
    const { bench } = setUp();
    const { record } = await bench.loggedIn('alice');
    await bench.registry.end(record.ref, 'deleted');
    expect(bench.deadlines.size).toBe(0);
  });

  it('is given to a session handle by when its login was, not by when it got its handle', async () => {
    const { bench, notices } = setUp({ absoluteMs: 10 * MINUTE_MS });
    const { record } = await bench.loggedIn('alice', 'pending-handle');
    await bench.clock.advance(4 * MINUTE_MS);
    const promoted = await bench.accounts.promote(record);
    await bench.clock.advance(4 * MINUTE_MS + 200);
    expect(notices()).toEqual([{ type: 'session.expires_soon', ref: promoted?.record.ref, epoch: 0 }]);
  });
});
