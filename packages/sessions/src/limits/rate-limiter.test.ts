import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { RateLimiter } from './rate-limiter.js';

function setUp(perMinute: number) {
  const clock = new VirtualClock();
  // Sums of this number are inexact.
  clock.jump(1_000_000.1);
  const deadlines = new Deadlines(clock, (error) => expect.unreachable(String(error)));
  const limiter = new RateLimiter({ perMinute, clock, deadlines });
  /** How many of `tries` are allowed. */
  const taken = (key: string, tries: number) =>
    Array.from({ length: tries }, () => limiter.take(key)).filter((wait) => wait === undefined).length;
  return { clock, deadlines, limiter, taken };
}

describe('a rate limiter', () => {
  it.each([1, 7, 60, 300])('allows %i at once, and as many in every minute after that', async (perMinute) => {
    const { clock, taken } = setUp(perMinute);
    expect(taken('a', perMinute + 5)).toBe(perMinute);
    await clock.advance(60_000);
    expect(taken('a', perMinute + 5)).toBe(perMinute);
  });

  it('returns the seconds after which the next event is allowed', async () => {
    const { clock, limiter, taken } = setUp(6);
    taken('a', 6);
    expect(limiter.waitSeconds('a')).toBe(10);
    expect(limiter.take('a')).toBe(10);
    await clock.advance(4500);
    expect(limiter.waitSeconds('a')).toBe(6);
    await clock.advance(6000);
    expect(taken('a', 3)).toBe(1);
  });

  it('undoes events, and never allows more than the limit because of that', async () => {
    const { clock, limiter, taken } = setUp(6);
    limiter.giveBack('a');
    expect(taken('a', 10)).toBe(6);
    limiter.giveBack('a');
    limiter.giveBack('a');
    expect(taken('a', 10)).toBe(2);
    await clock.advance(60_000);
    limiter.giveBack('a');
    expect(taken('a', 10)).toBe(6);
  });

  it('limits each key independently [security 41]', () => {
    const { taken } = setUp(5);
    taken('flood', 100);
    expect(taken('other', 5)).toBe(5);
  });

  it('forgets a key when its bucket is full, and then keeps no timer', async () => {
    const { clock, deadlines, limiter, taken } = setUp(60);
    taken('once', 1);
    taken('often', 60);
    await clock.advance(60_100);
    expect(limiter.size).toBe(0);
    expect(deadlines.size).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('remembers at most 10,000 keys, and forgets the least recently used one first', () => {
    const { limiter, taken } = setUp(1);
    taken('first', 1);
    for (let index = 0; index < 9999; index++) taken(`${index}`, 1);
    expect(limiter.waitSeconds('first')).toBe(60);
    taken('one more', 1);
    expect(limiter.size).toBe(10_000);
    expect(limiter.waitSeconds('first')).toBeUndefined();
    expect(limiter.waitSeconds('0')).toBe(60);
  });
});
