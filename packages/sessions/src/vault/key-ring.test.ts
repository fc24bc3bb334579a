import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { KeyRing } from './key-ring.js';

const PLACE = { kind: 'session', name: 'a' };
const key = (id: string, byte: number) => ({ id, bytes: Buffer.alloc(32, byte) });
const text = (value: string) => Buffer.from(value);

describe('a key ring', () => {
  it('opens what it has sealed, and wipes what it was given', () => {
    const ring = new KeyRing([key('a', 1)], randomBytes);
    const plaintext = text('a secret');
    const sealed = ring.seal(plaintext, PLACE);
    expect(plaintext).toEqual(Buffer.alloc(8));
    expect(sealed.includes('a secret')).toBe(false);
    expect(ring.open(sealed, PLACE).toString()).toBe('a secret');
  });

  it('wipes the master keys that it was given', () => {
    const keys = [key('a', 1), key('b', 2)] as const;
    new KeyRing(keys, randomBytes);
    for (const { bytes } of keys) expect(bytes).toEqual(Buffer.alloc(32));
  });

  it('seals with the newest key, and opens what any of them has sealed', () => {
    const former = new KeyRing([key('a', 1)], randomBytes);
    const ring = new KeyRing([key('b', 2), key('a', 1)], randomBytes);
    const old = former.seal(text('old'), PLACE);
    expect(ring.open(old, PLACE).toString()).toBe('old');
    expect(ring.isNewest(old)).toBe(false);
    const sealed = ring.seal(text('new'), PLACE);
    expect(ring.isNewest(sealed)).toBe(true);
    expect(() => former.open(sealed, PLACE)).toThrow('Add the key that the other nodes use');
  });

  it('takes no id for another one that it begins with', () => {
    const ring = new KeyRing([key('ab', 1), key('a', 2)], randomBytes);
    const sealed = new KeyRing([key('a', 2)], randomBytes).seal(text('x'), PLACE);
    expect(ring.isNewest(sealed)).toBe(false);
    expect(ring.open(sealed, PLACE).toString()).toBe('x');
  });

  it.each([
    ['of another kind', { kind: 'attempt', name: 'a' }],
    ['with another name', { kind: 'session', name: 'b' }],
    ['whose kind and name are divided elsewhere', { kind: 'sessiona', name: '' }],
  ])('opens nothing in a place %s [security 50]', (_what, place) => {
    const ring = new KeyRing([key('a', 1)], randomBytes);
    const sealed = ring.seal(text('x'), PLACE);
    expect(() => ring.open(sealed, place)).toThrow(
      expect.objectContaining({ code: 'sealed_record_invalid' }),
    );
  });

  it('opens nothing that was changed, cut or sealed by another key with the same id', () => {
    const ring = new KeyRing([key('a', 1)], randomBytes);
    const sealed = ring.seal(text('x'), PLACE);
    const other = new KeyRing([key('a', 2)], randomBytes);
    expect(() => other.open(sealed, PLACE)).toThrow(
      expect.objectContaining({ code: 'sealed_record_invalid' }),
    );
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => ring.open(changed, PLACE)).toThrow(
        expect.objectContaining({ code: 'sealed_record_invalid' }),
      );
      expect(() => ring.open(sealed.subarray(0, at), PLACE)).toThrow(
        expect.objectContaining({ code: 'sealed_record_invalid' }),
      );
    }
  });

  it('opens nothing after it was wiped', () => {
    const ring = new KeyRing([key('a', 1)], randomBytes);
    const sealed = ring.seal(text('x'), PLACE);
    ring.wipe();
    expect(() => ring.open(sealed, PLACE)).toThrow('destroyed');
    expect(() => ring.seal(text('x'), PLACE)).toThrow('destroyed');
  });
});
