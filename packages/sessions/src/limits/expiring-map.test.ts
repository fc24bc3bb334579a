import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { ExpiringMap } from './expiring-map.js';

const TTL_MS = 1000;

function setUp(maxEntries = 3) {
  const clock = new VirtualClock();
  const evicted: number[] = [];
  const onEvicted = (value: number) => void evicted.push(value);
  const map = new ExpiringMap<string, number>({ clock, maxEntries, ttlMs: TTL_MS, onEvicted });
  const keys = (...names: string[]) => names.filter((name) => map.get(name) !== undefined);
  return { clock, evicted, map, keys };
}

describe('a map with expiry', () => {
  it('returns a value until it expires, and then not', () => {
    const { clock, map } = setUp();
    map.set('a', 1);
    clock.jump(TTL_MS - 1);
    expect(map.get('a')).toBe(1);
    clock.jump(1);
    expect(map.get('a')).toBeUndefined();
  });

  it('returns a value with an expiry of its own until that expiry', () => {
    const { clock, map, keys } = setUp();
    map.set('short', 1, clock.now() + 10);
    map.set('long', 2, clock.now() + 10 * TTL_MS);
    clock.jump(10);
    expect(keys('short', 'long')).toEqual(['long']);
    clock.jump(TTL_MS);
    expect(keys('short', 'long')).toEqual(['long']);
  });

  it('deletes the oldest entry of a full map, where setting an entry makes it the newest [security 40]', () => {
    const { map, keys, evicted } = setUp();
    for (const [value, key] of ['a', 'b', 'c'].entries()) map.set(key, value);
    map.set('a', 10);
    expect(evicted).toEqual([]);
    map.set('d', 3);
    expect(keys('a', 'b', 'c', 'd')).toEqual(['a', 'c', 'd']);
    expect(map.size).toBe(3);
    expect(evicted).toEqual([1]);
  });

  it('deletes expired entries when an entry is set, also below the maximum [security 40]', () => {
    const { clock, map, evicted } = setUp();
    map.set('a', 1);
    map.set('b', 2);
    clock.jump(TTL_MS);
    expect(map.size).toBe(2);
    map.set('c', 3);
    expect(map.size).toBe(1);
    expect(evicted).toEqual([1, 2]);
  });

  it('is empty after it was cleared', () => {
    const { map } = setUp();
    map.set('a', 1);
    map.clear();
    expect([map.size, map.get('a')]).toEqual([0, undefined]);
  });
});
