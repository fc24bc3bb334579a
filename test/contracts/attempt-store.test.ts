import { describe, expect, it } from 'vitest';
import { FAILED_LOGIN_KEPT_MS } from '../../packages/sessions/src/login/attempt-store.js';
import { MapAttemptStore } from '../../packages/sessions/src/store/map-attempt-store.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { attemptOf, consented, describeAttemptStore, failed } from './attempt-store-contract.js';

function createStore() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  return { clock, store: new MapAttemptStore({ clock, deadlines }) };
}

describeAttemptStore('of maps', createStore);

describe('the attempt store of maps', () => {
  it('answers in the same tick', () => {
    const { store } = createStore();
    const attempt = attemptOf('first');
    const { key, snapshot } = attempt;
    const answers: unknown[] = [
      store.insert(attempt, undefined, { maxPerSession: 3, maxAttempts: 10 }),
      store.get(key),
      store.byState('state'),
      store.byCookie('cookie'),
      store.latest(snapshot.ref, 'idp'),
      store.pendingOf(snapshot.ref),
      store.pending(),
      store.replace(failed(attempt, 'expired', 2), 1),
      store.remove(key, 2),
      store.postpone(key, 0),
    ];
    expect(answers.filter((answer) => answer instanceof Promise)).toEqual([]);
    expect(answers[0]).toMatchObject({ kind: 'inserted' });
  });

  it('keeps no timer for logins that have ended', async () => {
    const { store, clock } = createStore();
    const limits = { maxPerSession: 3, maxAttempts: 10 };
    const [one, two] = [attemptOf('one', { dueAtMs: 1000 }), attemptOf('two', { dueAtMs: 1000 })];
    for (const attempt of [one, two]) store.insert(attempt, undefined, limits);
    await clock.advance(2000);
    store.replace(failed(consented(one, 'one', 2), 'expired', 2), 1);
    store.remove(two.key, 1);
    expect(clock.timers).toBe(0);
    expect(store.size).toBe(0);
  });

  it('keeps no index entries of logins that are complete, or failed long ago [security 40]', async () => {
    const { store, clock } = createStore();
    const limits = { maxPerSession: 3, maxAttempts: 10 };
    for (const id of ['complete', 'failed', 'later']) {
      const attempt = attemptOf(id);
      store.insert(attempt, undefined, limits);
      store.replace(consented(attempt, id, 2), 1);
    }
    expect(store.indexSize).toBe(9);
    store.remove(attemptOf('complete').key, 2);
    store.replace(failed(consented(attemptOf('failed'), 'failed', 2), 'expired', 3), 2);
    expect(store.indexSize).toBe(5);
    await clock.advance(FAILED_LOGIN_KEPT_MS);
    store.replace(failed(consented(attemptOf('later'), 'later', 2), 'expired', 3), 2);
    expect(store.indexSize).toBe(2);
  });
});
