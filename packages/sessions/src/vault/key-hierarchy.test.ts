import { hkdfSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinFields } from './fields.js';
import { KeyHierarchy } from './key-hierarchy.js';

describe('KeyHierarchy', () => {
  it('derives what HKDF-SHA-256 derives [security 26]', () => {
    const master = randomBytes(32);
    const info = joinFields(1, 'tokens', 'session', 'provider', 7);
    const expected = Buffer.from(hkdfSync('sha256', master, 'mcp-sessions', info, 32));
    const keys = new KeyHierarchy(Buffer.from(master));
    expect(keys.derive('tokens', 'session', 'provider', 7).equals(expected)).toBe(true);
  });

  it('gives every purpose and every place a key of its own [security 26]', () => {
    const keys = new KeyHierarchy(randomBytes(32));
    const derived = [
      keys.derive('tokens', 'a', 'b'),
      keys.derive('request-state', 'a', 'b'),
      keys.derive('tokens', 'ab', ''),
      keys.derive('tokens', 'a', 'c'),
    ].map((key) => key.toString('hex'));
    expect(new Set(derived).size).toBe(derived.length);
  });

  it('keeps keys out of the V8 heap and of the shared pool, and wipes the master key [security 30]', () => {
    const master = randomBytes(32);
    const keys = new KeyHierarchy(master);
    expect(master.every((byte) => byte === 0)).toBe(true);
    const key = keys.derive('tokens', 'a');
    expect(key.buffer.byteLength).toBe(32);
    expect(key.byteOffset).toBe(0);
  });

  it('gives every list of fields a code of its own, also lists that join to the same text', () => {
    const keys = new KeyHierarchy(randomBytes(32));
    const field = fc.string({ unit: fc.constantFrom('0', '1', '2', ':', 'a', 'ä'), maxLength: 4 });
    const list = fc.array(field, { maxLength: 3 });
    const lists = fc.tuple(list, list);
    fc.assert(
      fc.property(lists, ([a, b]) => {
        const isSame = keys.mac('id-lookup', ...a).equals(keys.mac('id-lookup', ...b));
        expect(isSame).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 2000 },
    );
  });

  it('derives nothing any more once it is wiped [security 31]', () => {
    const keys = new KeyHierarchy(randomBytes(32));
    keys.mac('id-lookup', 'a');
    keys.wipe();
    expect(() => keys.derive('tokens', 'a')).toThrow('destroyed');
    expect(() => keys.mac('id-lookup', 'a')).toThrow('destroyed');
  });

  it('refuses a master key of another size', () => {
    expect(() => new KeyHierarchy(randomBytes(16))).toThrow('32 bytes');
  });
});
