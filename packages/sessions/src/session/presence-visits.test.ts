import { describe, expect, it, onTestFinished } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { SessionRef } from './ids.js';
import { PresenceVisits } from './presence-visits.js';

const HOUR_MS = 60 * 60_000;

function bench(idleMs = HOUR_MS) {
  const clock = new VirtualClock();
  const visited: SessionRef[] = [];
  const errors: unknown[] = [];
  const state = { present: [] as string[], failsAt: '', running: 0, mostAtOnce: 0 };
  const registry = {
    // The brand is given in the library only.
    presentRefs: () => state.present as unknown as SessionRef[],
    touch: async (ref: SessionRef) => {
      state.mostAtOnce = Math.max(state.mostAtOnce, ++state.running);
      await Promise.resolve();
      state.running--;
      if (String(ref) === state.failsAt) throw new Error('down');
      visited.push(ref);
    },
  };
  const onError = (error: unknown) => void errors.push(error);
  const visits = new PresenceVisits({ registry, clock, idleMs, onError });
  onTestFinished(() => visits.stop());
  return { clock, visited, errors, state, visits };
}

describe('the visits of clients that are present', () => {
  it('are made every 20 seconds', async () => {
    const { clock, visited, state } = bench();
    state.present = ['a', 'b'];
    await clock.advance(19_999);
    expect(visited).toEqual([]);
    await clock.advance(1);
    expect(visited).toEqual(['a', 'b']);
    state.present = ['b'];
    await clock.advance(20_000);
    expect(visited).toEqual(['a', 'b', 'b']);
  });

  it('are made four times within an idle time of less than 80 seconds', async () => {
    const { clock, visited, state } = bench(40_000);
    state.present = ['a'];
    await clock.advance(40_000);
    expect(visited).toHaveLength(4);
  });

  it('are 50 at a time', async () => {
    const { clock, visited, state } = bench();
    state.present = Array.from({ length: 120 }, (_, at) => String(at));
    await clock.advance(20_000);
    expect(visited).toHaveLength(120);
    expect(state.mostAtOnce).toBe(50);
  });

  it('end at the first failure of the store, and begin again the next time', async () => {
    const { clock, visited, errors, state } = bench();
    state.present = Array.from({ length: 120 }, (_, at) => String(at));
    state.failsAt = '10';
    await clock.advance(20_000);
    expect([visited.length, errors.length]).toEqual([49, 1]);
    state.failsAt = '';
    await clock.advance(20_000);
    expect([visited.length, errors.length]).toEqual([169, 1]);
  });

  it('are not made after they were stopped', async () => {
    const { clock, visited, state, visits } = bench();
    state.present = ['a'];
    visits.stop();
    await clock.advance(60_000);
    expect(visited).toEqual([]);
  });
});
