import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { SessionRef } from './ids.js';
import { Tombstones } from './tombstones.js';

const TEN_MINUTES = 10 * 60 * 1000;
// The brand is given by `ids` only; here any text will do.
const refOf = (number: number) => `session ${number}` as SessionRef;

describe('tombstones', () => {
  it('tell for ten minutes why a session ended, and nothing of others [security 38]', () => {
    const clock = new VirtualClock();
    const tombstones = new Tombstones(clock);
    tombstones.set(refOf(1), 'idle');
    clock.jump(TEN_MINUTES - 1);
    expect(tombstones.get(refOf(1))).toBe('idle');
    expect(tombstones.get(refOf(2))).toBeUndefined();
    clock.jump(1);
    expect(tombstones.get(refOf(1))).toBeUndefined();
  });

  it('are ten thousand at most; a further one replaces the oldest [security 38]', () => {
    const tombstones = new Tombstones(new VirtualClock());
    for (let number = 1; number <= 10_000; number++) tombstones.set(refOf(number), 'deleted');
    expect(tombstones.get(refOf(1))).toBe('deleted');
    tombstones.set(refOf(10_001), 'cap');
    expect(tombstones.get(refOf(1))).toBeUndefined();
    expect(tombstones.get(refOf(2))).toBe('deleted');
    expect(tombstones.get(refOf(10_001))).toBe('cap');
  });

  it('expire one by one', () => {
    const clock = new VirtualClock();
    const tombstones = new Tombstones(clock);
    tombstones.set(refOf(1), 'idle');
    clock.jump(TEN_MINUTES / 2);
    tombstones.set(refOf(2), 'absolute');
    clock.jump(TEN_MINUTES / 2);
    tombstones.set(refOf(3), 'deleted');
    expect([1, 2, 3].map((number) => tombstones.get(refOf(number)))).toEqual([
      undefined,
      'absolute',
      'deleted',
    ]);
  });
});
