import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SessionError } from '../errors.js';
import { KeyHierarchy } from './key-hierarchy.js';
import { systemRandom } from './random.js';
import { type SealContext, Vault } from './vault.js';

const context: SealContext = { sessionRef: 'session', owner: 'owner', provider: 'provider', generation: 3 };

function setUp() {
  return new Vault(new KeyHierarchy(randomBytes(32)), systemRandom);
}

describe('Vault', () => {
  it('opens what it sealed', () => {
    const vault = setUp();
    for (const size of [0, 1, 16, 1000, 64 * 1024]) {
      const plaintext = randomBytes(size);
      const record = vault.seal(Buffer.from(plaintext), context);
      expect(vault.open(record, context).equals(plaintext)).toBe(true);
    }
  });

  it('wipes the plaintext it is given, also when it refuses it [security 31]', () => {
    const vault = setUp();
    const plaintext = Buffer.alloc(100, 7);
    vault.seal(plaintext, context);
    expect(plaintext.every((byte) => byte === 0)).toBe(true);

    const tooLarge = Buffer.alloc(64 * 1024 + 1, 7);
    expect(() => vault.seal(tooLarge, context)).toThrow(
      new RangeError('A sealed record holds at most 64 KiB.'),
    );
    expect(tooLarge.every((byte) => byte === 0)).toBe(true);
  });

  it('does not open a record of which any byte has changed [security 28]', () => {
    const vault = setUp();
    const record = vault.seal(Buffer.from('a secret'), context);
    for (let index = 0; index < record.bytes.length; index++) {
      const bytes = Buffer.from(record.bytes);
      bytes[index] = (bytes[index] ?? 0) ^ 1;
      expect(() => vault.open({ salt: record.salt, bytes }, context)).toThrow('does not open');
    }
    const salt = Buffer.from(record.salt);
    salt[0] = (salt[0] ?? 0) ^ 1;
    expect(() => vault.open({ salt, bytes: record.bytes }, context)).toThrow('does not open');
  });

  it('does not open a record whose tag was cut [security 28]', () => {
    const vault = setUp();
    const record = vault.seal(Buffer.from('a secret'), context);
    for (let cut = 1; cut <= record.bytes.length; cut++) {
      const bytes = record.bytes.subarray(0, record.bytes.length - cut);
      expect(() => vault.open({ salt: record.salt, bytes }, context)).toThrow('does not open');
    }
  });

  it.each<Partial<SealContext>>([
    { sessionRef: 'another' },
    { owner: 'another' },
    { provider: 'another' },
    { generation: 4 },
  ])('does not open a record in another place: %o [security 29]', (elsewhere) => {
    const vault = setUp();
    const record = vault.seal(Buffer.from('a secret'), context);
    expect(() => vault.open(record, { ...context, ...elsewhere })).toThrow('does not open');
  });

  it('does not mistake one place for another whose fields join to the same text [security 29]', () => {
    const vault = setUp();
    const record = vault.seal(Buffer.from('x'), { ...context, owner: 'ab', provider: 'c' });
    expect(() => vault.open(record, { ...context, owner: 'a', provider: 'bc' })).toThrow('does not open');
  });

  it('does not open swapped records, nor those of another purpose [security 26, 29]', () => {
    const keys = new KeyHierarchy(randomBytes(32));
    const vault = new Vault(keys, systemRandom);
    const one = vault.seal(Buffer.from('one'), context);
    const two = vault.seal(Buffer.from('two'), { ...context, generation: 4 });
    expect(() => vault.open({ salt: one.salt, bytes: two.bytes }, context)).toThrow('does not open');

    const states = new Vault(keys, systemRandom, 'request-state');
    expect(() => states.open(one, context)).toThrow('does not open');
  });

  it('seals the same plaintext differently each time, under a fresh key and IV [security 27]', () => {
    const vault = setUp();
    const records = Array.from({ length: 500 }, () => vault.seal(Buffer.from('same'), context));
    const ivs = new Set(records.map(({ bytes }) => bytes.subarray(1, 13).toString('hex')));
    const salts = new Set(records.map(({ salt }) => salt.toString('hex')));
    expect(ivs.size).toBe(records.length);
    expect(salts.size).toBe(records.length);
  });

  it('does not open a wiped record [security 31]', () => {
    const vault = setUp();
    const record = vault.seal(Buffer.from('a secret'), context);
    vault.wipe(record);
    expect(record.bytes.every((byte) => byte === 0)).toBe(true);
    expect(record.salt.every((byte) => byte === 0)).toBe(true);
    expect(() => vault.open(record, context)).toThrow('does not open');
  });

  it('says by its code that a record does not open, and keeps the reason', () => {
    const vault = setUp();
    const record = vault.seal(Buffer.from('a secret'), context);
    const failure = catchError(() => vault.open(record, { ...context, owner: 'another' }));
    expect(failure).toBeInstanceOf(SessionError);
    expect(failure).toMatchObject({ code: 'sealed_record_invalid', cause: expect.any(Error) });
  });

  it('refuses a record too short to be one before it derives a key', () => {
    const keys = new RecordingKeys(randomBytes(32));
    const vault = new Vault(keys, systemRandom);
    const bytes = Buffer.alloc(28, 1);
    expect(() => vault.open({ salt: Buffer.alloc(32), bytes }, context)).toThrow('does not open');
    expect(keys.derived).toEqual([]);
  });

  it('seals tokens unless told for what else [security 26]', () => {
    const keys = new KeyHierarchy(randomBytes(32));
    const record = new Vault(keys, systemRandom).seal(Buffer.from('a secret'), context);
    const opened = new Vault(keys, systemRandom, 'tokens').open(record, context);
    expect(opened.toString()).toBe('a secret');
  });

  it('wipes each key after its use, also when a record does not open [security 30]', () => {
    const keys = new RecordingKeys(randomBytes(32));
    const vault = new Vault(keys, systemRandom);
    const record = vault.seal(Buffer.from('a secret'), context);
    vault.open(record, context);
    expect(() => vault.open(record, { ...context, owner: 'another' })).toThrow('does not open');
    expect(keys.derived).toHaveLength(3);
    for (const key of keys.derived) expect(key.every((byte) => byte === 0)).toBe(true);
  });
});

/** Remembers the keys it gave out. */
class RecordingKeys extends KeyHierarchy {
  readonly derived: Buffer[] = [];

  override derive(...parameters: Parameters<KeyHierarchy['derive']>): Buffer {
    const key = super.derive(...parameters);
    this.derived.push(key);
    return key;
  }
}

function catchError(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
