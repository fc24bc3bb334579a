import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfJson, bytesOfText, MemoryQuota } from './memory-quota.js';

const LIMITS = { guaranteedBytes: 10, maxBytes: 100, sharedBytes: 200 };

describe('a memory quota', () => {
  it('guarantees each share its bytes, whatever other clients use [security 40]', () => {
    const quota = new MemoryQuota(LIMITS);
    for (let count = 0; count < 20; count++) quota.open(`flood ${count}`).resize(60);
    expect(quota.sharedBytes).toBe(200);
    expect(quota.open('late').resize(11)).toBe(false);
    expect(quota.open('late').resize(10)).toBe(true);
  });

  it('gives one client at most a quarter of the shared bytes, and local clients all of them [security 40]', () => {
    const quota = new MemoryQuota(LIMITS);
    expect(quota.open('a').resize(60)).toBe(true);
    expect(quota.open('a').resize(11)).toBe(false);
    expect(quota.open('b').resize(60)).toBe(true);
    expect(quota.open(undefined).resize(100)).toBe(true);
  });

  it('refuses more than the maximum of a share, and keeps its size then', () => {
    const share = new MemoryQuota(LIMITS).open(undefined);
    expect(share.resize(100)).toBe(true);
    expect(share.resize(101)).toBe(false);
    expect(share.resize(100)).toBe(true);
  });

  it('never exceeds the shared maximum, and returns to 0 after all shares are released', () => {
    const step = fc.record({ index: fc.nat(5), bytes: fc.nat(150) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const quota = new MemoryQuota(LIMITS);
        const shares = [0, 1, 2, 3, 4, 5].map((index) => ({
          share: quota.open(index < 4 ? `${index % 2}` : undefined),
          bytes: 0,
        }));
        for (const { index, bytes } of steps) {
          const changed = shares[index]!;
          if (changed.share.resize(bytes)) changed.bytes = bytes;
          const beyond = shares.map((each) => Math.max(0, each.bytes - LIMITS.guaranteedBytes));
          expect(quota.sharedBytes).toBe(beyond.reduce((sum, each) => sum + each, 0));
          expect(quota.sharedBytes).toBeLessThanOrEqual(LIMITS.sharedBytes);
          expect(beyond[0]! + beyond[2]!).toBeLessThanOrEqual(LIMITS.sharedBytes / 4);
        }
        for (const { share } of shares) share.release();
        expect(quota.sharedBytes).toBe(0);
      }),
    );
  });

  it('counts the size in memory, not on the wire', () => {
    expect(bytesOfText('€'.repeat(100))).toBe(232);
    const value = { a: [1, 'x', null], b: {} };
    expect(bytesOfJson(value)).toBe(48 + 34 + (48 + 16 + 34 + 16) + 34 + 48);
    expect(bytesOfJson([...'x'.repeat(1000)])).toBeGreaterThan(30 * 1000);
  });
});
