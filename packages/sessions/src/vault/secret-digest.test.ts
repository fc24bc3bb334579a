import { describe, expect, it } from 'vitest';
import { digestOf, isSameDigest } from './secret-digest.js';

describe('secrets', () => {
  it('are compared by digests of equal length, so that time tells nothing about them [security 3]', () => {
    const digests = ['', 'a', 'a'.repeat(10_000)].map(digestOf);
    for (const digest of digests) expect(digest).toHaveLength(43);
    expect(isSameDigest(digestOf('a'), digestOf('a'))).toBe(true);
    expect(isSameDigest(digestOf('a'), digestOf('b'))).toBe(false);
    expect(isSameDigest(digestOf('a'), digestOf('a').slice(1))).toBe(false);
  });
});
