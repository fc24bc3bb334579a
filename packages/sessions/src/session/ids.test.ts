import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { KeyHierarchy } from '../vault/key-hierarchy.js';
import { systemRandom } from '../vault/random.js';
import { logIdOf, mintSessionId, parseSessionId, publicIdOf, sessionRefOf } from './ids.js';

const keys = new KeyHierarchy(randomBytes(32));

describe('session ids', () => {
  it('carry 256 random bits in base64url [security 1]', () => {
    const ids = Array.from({ length: 1000 }, () => mintSessionId(systemRandom));
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(Buffer.from(id, 'base64url')).toHaveLength(32);
  });

  it('are known inside only by a reference that does not contain them [security 2]', () => {
    const id = mintSessionId(systemRandom);
    const ref = sessionRefOf(keys, 'handle', id);
    expect(ref).not.toContain(id);
    expect(sessionRefOf(keys, 'handle', id)).toBe(ref);
    expect(sessionRefOf(new KeyHierarchy(randomBytes(32)), 'handle', id)).not.toBe(ref);
  });

  it('of one era mean nothing in the other [security 54]', () => {
    const id = mintSessionId(systemRandom);
    expect(sessionRefOf(keys, 'handle', id)).not.toBe(sessionRefOf(keys, 'connection', id));
  });

  it('appear in logs as twelve hex digits under a key of their own [security 48]', () => {
    const ref = sessionRefOf(keys, 'handle', mintSessionId(systemRandom));
    expect(logIdOf(keys, ref)).toMatch(/^[0-9a-f]{12}$/);
    expect(Buffer.from(ref, 'base64url').toString('hex')).not.toContain(logIdOf(keys, ref));
    expect(logIdOf(keys, ref)).toBe(keys.mac('log-id', ref).toString('hex', 0, 6));
  });

  it('have a public id of 128 bits that changes with the epoch, has a key of its own and opens nothing [security 1, 48]', () => {
    const ref = sessionRefOf(keys, 'handle', mintSessionId(systemRandom));
    const id = publicIdOf(keys, { ref, epoch: 0 });
    expect(Buffer.from(id, 'base64url')).toHaveLength(16);
    expect(publicIdOf(keys, { ref, epoch: 0 })).toBe(id);
    expect(id).toBe(keys.mac('public-id', ref, 0).toString('base64url', 0, 16));
    expect(publicIdOf(keys, { ref, epoch: 1 })).not.toBe(id);
    expect(publicIdOf(new KeyHierarchy(randomBytes(32)), { ref, epoch: 0 })).not.toBe(id);
    expect(parseSessionId(id)).toBeUndefined();
    expect(ref).not.toContain(id);
  });

  it.each(['', 'short', 'x'.repeat(42), 'x'.repeat(44), `${'x'.repeat(42)}=`, `${'x'.repeat(42)}\n`])(
    'are not read from %j',
    (value) => {
      expect(parseSessionId(value)).toBeUndefined();
    },
  );
});
