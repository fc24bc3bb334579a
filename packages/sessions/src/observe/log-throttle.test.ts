import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { LogThrottle } from './log-throttle.js';

function setUp() {
  const clock = new VirtualClock();
  const written: [string, number][] = [];
  const throttle = new LogThrottle<string>(clock, (what, times) => void written.push([what, times]));
  const add = (kind: string, times: number) => {
    for (let time = 0; time < times; time++) throttle.add(kind, kind);
  };
  return { clock, written, add };
}

describe('a log throttle', () => {
  it('logs the first event at once, and the number of the others after a minute', async () => {
    const { clock, written, add } = setUp();
    add('a', 1000);
    expect(written).toEqual([['a', 1]]);
    await clock.advance(59_000);
    expect(written).toHaveLength(1);
    await clock.advance(1000);
    expect(written).toEqual([
      ['a', 1],
      ['a', 999],
    ]);
  });

  it('logs the number once a minute while events continue, and the first again after a minute without one', async () => {
    const { clock, written, add } = setUp();
    for (let second = 0; second < 90; second++) {
      add('a', 1);
      await clock.advance(1000);
    }
    await clock.advance(30_000);
    expect(written.map(([, times]) => times)).toEqual([1, 59, 30]);
    await clock.advance(60_000);
    expect(written).toHaveLength(3);
    add('a', 1);
    expect(written.at(-1)).toEqual(['a', 1]);
    expect(written).toHaveLength(4);
  });

  it('counts each kind separately', async () => {
    const { clock, written, add } = setUp();
    add('a', 2);
    add('b', 3);
    await clock.advance(60_000);
    expect(written).toEqual([
      ['a', 1],
      ['b', 1],
      ['a', 1],
      ['b', 2],
    ]);
  });
});
