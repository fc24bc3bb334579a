import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairEviction } from './fair-eviction.js';

describe('fair eviction', () => {
  it('takes the oldest item of the key that holds the most [security 41]', () => {
    const shares = new FairEviction<string>();
    shares.add('a1', 'a');
    for (const item of ['b1', 'b2', 'b3']) shares.add(item, 'b');
    for (const item of ['c1', 'c2']) shares.add(item, 'c');
    expect(shares.size).toBe(6);
    const evicted = Array.from({ length: 6 }, () => {
      const [first = ''] = shares.largest();
      shares.delete(first);
      return first;
    });
    expect(evicted).toEqual(['b1', 'c1', 'b2', 'a1', 'c2', 'b3']);
    expect([shares.size, shares.largest().size]).toEqual([0, 0]);
  });

  it('finds the key that holds the most after any sequence of additions and removals', () => {
    const step = fc.record({
      item: fc.nat(20),
      quotaKey: fc.constantFrom('a', 'b', 'c'),
      isRemoval: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const shares = new FairEviction<number>();
        const model = new Map<number, string>();
        for (const { item, quotaKey, isRemoval } of steps) {
          expect(shares.has(item)).toBe(model.has(item));
          if (isRemoval) expect(shares.delete(item)).toBe(model.get(item));
          else shares.add(item, quotaKey);
          model.delete(item);
          if (!isRemoval) model.set(item, quotaKey);
          const sizes = ['a', 'b', 'c'].map((each) => {
            const items = [...model].filter(([, by]) => by === each).map(([key]) => key);
            expect([...shares.of(each)]).toEqual(items);
            return items.length;
          });
          expect(shares.largest().size).toBe(Math.max(...sizes));
        }
      }),
    );
  });
});
