import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfJson, bytesOfText, KeptBytes } from './kept-bytes.js';

const LIMITS = { assuredBytes: 10, maxBytes: 100, sharedBytes: 200 };

describe('what a node keeps for its clients', () => {
  it('is an assured number of bytes for each holder, whatever the others keep [security 40]', () => {
    const kept = new KeptBytes(LIMITS);
    for (let count = 0; count < 20; count++) kept.open(`flood ${count}`).resize(60);
    expect(kept.sharedBytes).toBe(200);
    expect(kept.open('late').resize(11)).toBe(false);
    expect(kept.open('late').resize(10)).toBe(true);
  });

  it('is at most a quarter of the shared bytes for one client, and all of them for a local one [security 40]', () => {
    const kept = new KeptBytes(LIMITS);
    expect(kept.open('a').resize(60)).toBe(true);
    expect(kept.open('a').resize(11)).toBe(false);
    expect(kept.open('b').resize(60)).toBe(true);
    expect(kept.open(undefined).resize(100)).toBe(true);
  });

  it('does not exceed the maximum of a holder, and does not change when more is refused', () => {
    const share = new KeptBytes(LIMITS).open(undefined);
    expect(share.resize(100)).toBe(true);
    expect(share.resize(101)).toBe(false);
    expect(share.resize(100)).toBe(true);
  });

  it('does not exceed the shared maximum, and is nothing after all quotaKeys have released it', () => {
    const step = fc.record({ holder: fc.nat(5), bytes: fc.nat(150) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const kept = new KeptBytes(LIMITS);
        const quotaKeys = [0, 1, 2, 3, 4, 5].map((index) => ({
          share: kept.open(index < 4 ? `${index % 2}` : undefined),
          bytes: 0,
        }));
        for (const { holder: index, bytes } of steps) {
          const holder = quotaKeys[index]!;
          if (holder.share.resize(bytes)) holder.bytes = bytes;
          const beyond = quotaKeys.map((each) => Math.max(0, each.bytes - LIMITS.assuredBytes));
          expect(kept.sharedBytes).toBe(beyond.reduce((sum, each) => sum + each, 0));
          expect(kept.sharedBytes).toBeLessThanOrEqual(LIMITS.sharedBytes);
          expect(beyond[0]! + beyond[2]!).toBeLessThanOrEqual(LIMITS.sharedBytes / 4);
        }
        for (const { share } of quotaKeys) share.release();
        expect(kept.sharedBytes).toBe(0);
      }),
    );
  });

  it('is counted by its size in memory, not on the wire', () => {
    expect(bytesOfText('€'.repeat(100))).toBe(232);
    const value = { a: [1, 'x', null], b: {} };
    expect(bytesOfJson(value)).toBe(48 + 34 + (48 + 16 + 34 + 16) + 34 + 48);
    expect(bytesOfJson([...'x'.repeat(1000)])).toBeGreaterThan(30 * 1000);
  });
});
