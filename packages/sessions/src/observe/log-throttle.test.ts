import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { LogThrottle } from './log-throttle.js';

function tallied() {
  const clock = new VirtualClock();
  const told: [string, number][] = [];
  const tallies = new LogThrottle<string>(clock, (what, times) => void told.push([what, times]));
  const add = (kind: string, times: number) => {
    for (let time = 0; time < times; time++) tallies.add(kind, kind);
  };
  return { clock, told, add };
}

describe('a log throttle', () => {
  it('logs the first event at once, and the number of the others after a minute', async () => {
    const { clock, told, add } = tallied();
    add('a', 1000);
    expect(told).toEqual([['a', 1]]);
    await clock.advance(59_000);
    expect(told).toHaveLength(1);
    await clock.advance(1000);
    expect(told).toEqual([
      ['a', 1],
      ['a', 999],
    ]);
  });

  it('logs the number once a minute while events continue, and the first again after a minute without one', async () => {
    const { clock, told, add } = tallied();
    for (let second = 0; second < 90; second++) {
      add('a', 1);
      await clock.advance(1000);
    }
    await clock.advance(30_000);
    expect(told.map(([, times]) => times)).toEqual([1, 59, 30]);
    await clock.advance(60_000);
    expect(told).toHaveLength(3);
    add('a', 1);
    expect(told.at(-1)).toEqual(['a', 1]);
    expect(told).toHaveLength(4);
  });

  it('counts each kind separately', async () => {
    const { clock, told, add } = tallied();
    add('a', 2);
    add('b', 3);
    await clock.advance(60_000);
    expect(told).toEqual([
      ['a', 1],
      ['b', 1],
      ['a', 1],
      ['b', 2],
    ]);
  });
});
