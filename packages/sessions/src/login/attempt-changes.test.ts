import { describe, expect, it } from 'vitest';
import { attemptOf } from '../../../../test/contracts/attempt-store-contract.js';

import { storeUnavailable } from '../errors.js';
import { MapAttemptStore } from '../store/map-attempt-store.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { systemRandom } from '../vault/random.js';
import { AttemptChanges } from './attempt-changes.js';
import type { AttemptStore } from './attempt-store.js';

const LIMITS = { maxPerSession: 3, maxAttempts: 10 };
const EXPIRED = { kind: 'failed', failure: 'expired' } as const;

/** What becomes of a call whose answer does not come. */
type Fault = 'answer lost' | 'call lost';
type Method = 'insert' | 'replace' | 'remove';

async function setUp() {
  const clock = new VirtualClock();
  const store: AttemptStore = new MapAttemptStore({
    clock,
    deadlines: new Deadlines(clock, () => undefined),
  });
  const changes = new AttemptChanges(store, systemRandom);
  const attempt = attemptOf('first');
  await changes.insert(attempt, undefined, LIMITS);
  /** The next calls of a method fail, one for each fault. */
  const failNext = (method: Method, ...faults: Fault[]) => {
    // The arguments are passed on as they came.
    const original = store[method].bind(store) as (...given: unknown[]) => unknown;
    const faulty = async (...given: unknown[]) => {
      const fault = faults.shift();
      if (fault === 'call lost') throw storeUnavailable(new Error(fault));
      const answer = await original(...given);
      if (fault === 'answer lost') throw storeUnavailable(new Error(fault));
      return answer;
    };
    Object.assign(store, { [method]: faulty });
  };
  return { store, changes, attempt, failNext };
}

describe('a change of a login attempt', () => {
  it.each<Fault>(['answer lost', 'call lost'])('takes place once if one call fails: %s', async (fault) => {
    const { store, changes, attempt, failNext } = await setUp();
    failNext('replace', fault);
    let count = 0;
    const changed = await changes.change(attempt.key, ({ scopes }) => ({
      scopes: [...scopes, `${++count}`],
    }));
    expect(changed?.before).toEqual(attempt);
    expect(changed?.after.scopes).toEqual(['openid', fault === 'answer lost' ? '1' : '2']);
    expect(await store.get(attempt.key)).toEqual(changed?.after);
  });

  it('fails if the store fails twice, and does not take place later', async () => {
    const { store, changes, attempt, failNext } = await setUp();
    failNext('replace', 'call lost', 'call lost');
    const change = changes.change(attempt.key, () => ({ isCommitting: true }));
    await expect(change).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await store.get(attempt.key)).toEqual(attempt);
  });

  it('is made on the newest record', async () => {
    const { changes, attempt } = await setUp();
    const add = (scope: string) =>
      changes.change(attempt.key, ({ scopes }) => ({ scopes: [...scopes, scope] }));
    const added = await Promise.all(['a', 'b', 'c'].map(add));
    expect(added.map((each) => each?.after.scopes.length).sort()).toEqual([2, 3, 4]);
  });

  it('is not made when its condition no longer holds', async () => {
    const { changes, attempt } = await setUp();
    const take = () =>
      changes.change(attempt.key, ({ isCommitting }) => (isCommitting ? undefined : { isCommitting: true }));
    const taken = await Promise.all([take(), take(), take()]);
    expect(taken.filter(Boolean)).toHaveLength(1);
  });
});

describe('the end of a login attempt', () => {
  it.each<Fault>(['answer lost', 'call lost'])('is that of one caller if a call fails: %s', async (fault) => {
    const { changes, attempt, failNext } = await setUp();
    failNext('replace', fault);
    const ended = await Promise.all([changes.fail(attempt.key, EXPIRED), changes.fail(attempt.key, EXPIRED)]);
    expect(ended.filter(Boolean)).toEqual([attempt]);
    expect(await changes.complete(attempt.key)).toBe(false);
  });

  it.each<Fault>(['answer lost', 'call lost'])(
    'as complete is recognized if a call fails: %s',
    async (fault) => {
      const { store, changes, attempt, failNext } = await setUp();
      failNext('remove', fault);
      expect(await changes.complete(attempt.key)).toBe(true);
      expect(await store.get(attempt.key)).toBeUndefined();
      expect(await changes.complete(attempt.key)).toBe(true);
      expect(await changes.fail(attempt.key, EXPIRED)).toBeUndefined();
    },
  );

  it('as complete does not take place after it has failed', async () => {
    const { changes, attempt } = await setUp();
    await changes.fail(attempt.key, EXPIRED);
    expect(await changes.complete(attempt.key)).toBe(false);
  });

  it('is reported to the client once, and not after a sign-out', async () => {
    const { changes, attempt } = await setUp();
    const { snapshot, provider } = attempt;
    await changes.fail(attempt.key, { kind: 'failed', failure: 'declined' });
    expect(await changes.takeUnreported({ ...snapshot, epoch: 1 }, provider)).toBeUndefined();
    expect(await changes.takeUnreported(snapshot, 'another')).toBeUndefined();
    const read = () => changes.unreported(snapshot, provider);
    expect([await read(), await read()]).toMatchObject([{ failure: 'declined' }, { failure: 'declined' }]);
    const take = () => changes.takeUnreported(snapshot, provider);
    const taken = await Promise.all([take(), take()]);
    expect(taken.filter(Boolean)).toEqual([{ kind: 'failed', failure: 'declined' }]);
    expect([await take(), await read()]).toEqual([undefined, undefined]);
  });

  it('is not reported if the client has caused it', async () => {
    const { changes, attempt } = await setUp();
    await changes.fail(attempt.key, { kind: 'failed', failure: 'signed_out' });
    expect(await changes.takeUnreported(attempt.snapshot, attempt.provider)).toBeUndefined();
  });
});

describe('a login attempt that is added', () => {
  it.each<Fault>(['answer lost', 'call lost'])(
    'does not stay if no client gets its link: %s',
    async (fault) => {
      const { store, changes, attempt, failNext } = await setUp();
      failNext('insert', fault);
      const added = changes.insert(attemptOf('second'), undefined, LIMITS);
      await expect(added).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(await store.pending()).toEqual([attempt]);
    },
  );
});
