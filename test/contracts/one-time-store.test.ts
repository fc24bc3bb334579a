import { expect, it } from 'vitest';
import { MapOneTimeStore } from '../../packages/sessions/src/store/map-one-time-store.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { describeOneTimeStore } from './one-time-store-contract.js';

function setUp() {
  const clock = new VirtualClock();
  return { clock, store: new MapOneTimeStore(clock) };
}

describeOneTimeStore('a Map', setUp);

it('a Map forgets names that have expired', async () => {
  const { clock, store } = setUp();
  const quota = { session: 's', client: 'c' };
  for (const name of ['a', 'b', 'c']) store.issue(name, quota, 1000);
  expect(store.issued).toBe(3);
  await clock.advance(1000);
  store.issue('d', quota, 2000);
  expect(store.issued).toBe(1);
});
