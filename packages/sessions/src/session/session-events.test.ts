import { describe, expect, it } from 'vitest';
import { SessionBench } from '../../../../test/support/session-bench.js';
import type { SessionRef } from './ids.js';
import { publicIdOf } from './ids.js';
import { type InternalEvent, publicListener, type SessionEvent, SessionEvents } from './session-events.js';

// The brand is given by `ids` only; here any text will do.
const started: InternalEvent = {
  type: 'session.started',
  ref: 'one' as SessionRef,
  epoch: 0,
  kind: 'connection',
};
const refused: InternalEvent = { type: 'session.refused', reason: 'cap' };

describe('session events', () => {
  it('reach every listener in their order, before the emitter goes on', () => {
    const events = new SessionEvents(() => undefined);
    const heard: [string, InternalEvent][] = [];
    events.subscribe((event) => heard.push(['first', event]));
    events.subscribe((event) => heard.push(['second', event]));
    events.emit(started);
    events.emit(refused);
    expect(heard).toEqual([
      ['first', started],
      ['second', started],
      ['first', refused],
      ['second', refused],
    ]);
  });

  it('do not reach a listener that has unsubscribed', () => {
    const events = new SessionEvents(() => undefined);
    const heard: InternalEvent[] = [];
    const unsubscribe = events.subscribe((event) => heard.push(event));
    events.emit(started);
    unsubscribe();
    events.emit(refused);
    expect(heard).toEqual([started]);
  });

  it('reach the others although a listener throws, and what it throws is reported', () => {
    const errors: unknown[] = [];
    const events = new SessionEvents((error) => errors.push(error));
    const heard: InternalEvent[] = [];
    const failure = new Error('on purpose');
    events.subscribe(() => {
      throw failure;
    });
    events.subscribe((event) => heard.push(event));
    events.emit(started);
    expect(heard).toEqual([started]);
    expect(errors).toEqual([failure]);
  });
});

describe('the events for listeners outside of the library', () => {
  async function withListener() {
    const bench = new SessionBench();
    const seen: SessionEvent[] = [];
    bench.sessionEvents.subscribe(publicListener(bench.keys, (event) => seen.push(event)));
    return { bench, seen };
  }

  it('name the session by its public ids, and the user of an account', async () => {
    const { bench, seen } = await withListener();
    const { record, snapshot } = await bench.loggedIn('alice');
    const session = publicIdOf(bench.keys, snapshot);
    const logId = expect.stringMatching(/^[0-9a-f]{12}$/);
    expect(seen).toMatchObject([
      { type: 'session.started', session, logId, kind: 'connection' },
      { type: 'account.authenticated', session, logId, provider: 'idp', subject: 'alice' },
    ]);
    expect(JSON.stringify(seen)).not.toContain(record.ref);
    expect(seen.filter((event) => 'epoch' in event)).toEqual([]);
  });

  it('keep the log id and change the session id with a sign-out', async () => {
    const { bench, seen } = await withListener();
    const { record, snapshot } = await bench.loggedIn('alice');
    await bench.registry.signOut(record.ref, 'logout');
    await bench.accounts.commitLogin({ ref: record.ref, epoch: 1 }, 'idp', bench.provider.grant('bob'));
    const [first, second] = [
      publicIdOf(bench.keys, snapshot),
      publicIdOf(bench.keys, { ref: record.ref, epoch: 1 }),
    ];
    expect(second).not.toBe(first);
    const ids = seen.map((event) => [event.type, 'session' in event ? event.session : undefined]);
    expect(ids.filter(([type]) => type !== 'account.revoked')).toEqual([
      ['session.started', first],
      ['account.authenticated', first],
      ['session.signed_out', first],
      ['account.authenticated', second],
    ]);
    expect(new Set(seen.map((event) => 'logId' in event && event.logId)).size).toBe(1);
  });
});
