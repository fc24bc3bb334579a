import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinFields } from '../../packages/sessions/src/vault/fields.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { Secret } from '../../packages/sessions/src/vault/secret.js';
import { decodeTokenSet, encodeTokenSet } from '../../packages/sessions/src/vault/token-set.js';
import { type SealContext, type SealedRecord, Vault } from '../../packages/sessions/src/vault/vault.js';

const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength, size: 'max' }).map((each) => Buffer.from(each));
/** Any text that UTF-8 can carry. */
const text = fc.string({ unit: 'binary', maxLength: 20 });
const contexts: fc.Arbitrary<SealContext> = fc.record({
  sessionRef: text,
  owner: text,
  provider: text,
  generation: fc.nat(),
});
const newVault = () => new Vault(new KeyHierarchy(randomBytes(32)), systemRandom);
const isZero = (each: Uint8Array) => each.every((byte) => byte === 0);

/** Every copy of `whole` in which one bit is another. */
function* flipped(whole: Buffer): Generator<Buffer> {
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const copy = Buffer.from(whole);
    copy[bit >> 3]! ^= 1 << (bit & 7);
    yield copy;
  }
}

describe('a sealed record', () => {
  it('opens to what was sealed, whatever it is and wherever it belongs', () => {
    const vault = newVault();
    fc.assert(
      fc.property(bytes(2000), contexts, (plaintext, context) => {
        const record = vault.seal(Buffer.from(plaintext), context);
        expect(vault.open(record, context).equals(plaintext)).toBe(true);
      }),
    );
  });

  it('does not open when any bit of it is another [security 28, 29]', () => {
    const vault = newVault();
    fc.assert(
      fc.property(bytes(20), contexts, (plaintext, context) => {
        const record = vault.seal(plaintext, context);
        for (const changed of flipped(record.bytes))
          expect(() => vault.open({ ...record, bytes: changed }, context)).toThrow('does not open');
        for (const changed of flipped(record.salt))
          expect(() => vault.open({ ...record, salt: changed }, context)).toThrow('does not open');
      }),
      { numRuns: 5 },
    );
  });

  it('opens in no other place, even if a single field differs [security 29]', () => {
    const vault = newVault();
    const fields = ['sessionRef', 'owner', 'provider', 'generation'] as const;
    const elsewhere = fc
      .tuple(contexts, contexts, fc.subarray([...fields], { minLength: 1 }))
      .map(([context, other, changed]) => ({
        context,
        other: { ...context, ...Object.fromEntries(changed.map((field) => [field, other[field]])) },
      }))
      .filter(({ context, other }) => fields.some((field) => context[field] !== other[field]));
    fc.assert(
      fc.property(bytes(40), elsewhere, (plaintext, { context, other }) => {
        const record = vault.seal(plaintext, context);
        expect(() => vault.open(record, other)).toThrow('does not open');
      }),
    );
  });

  it('opens with no part of another record, not even of one for the same place [security 29]', () => {
    const vault = newVault();
    fc.assert(
      fc.property(bytes(40), bytes(40), contexts, (one, two, context) => {
        const first = vault.seal(one, context);
        const second = vault.seal(two, context);
        const swapped = [
          { salt: first.salt, bytes: second.bytes },
          { salt: second.salt, bytes: first.bytes },
          { salt: first.salt, bytes: withPart(first.bytes, second.bytes, 1, 13) },
          { salt: first.salt, bytes: withPart(first.bytes, second.bytes, first.bytes.length - 16) },
        ];
        for (const each of swapped) expect(() => vault.open(each, context)).toThrow('does not open');
      }),
    );
  });

  it('has an IV and a salt that no other has [security 27]', () => {
    const vault = newVault();
    const context = { sessionRef: 'session', owner: 'owner', provider: 'provider', generation: 1 };
    const records = Array.from({ length: 3000 }, () => vault.seal(Buffer.alloc(1), context));
    expect(new Set(records.map((each) => each.bytes.toString('hex', 1, 13))).size).toBe(records.length);
    expect(new Set(records.map((each) => each.salt.toString('hex'))).size).toBe(records.length);
  });

  it('stays wiped, whatever is sealed, opened and wiped besides [security 31]', () => {
    const step = fc.record({
      kind: fc.constantFrom('seal', 'open', 'wipe'),
      place: fc.nat({ max: 3 }),
      plaintext: bytes(20),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
        const vault = newVault();
        const sealed = new Map<number, { record: SealedRecord; plaintext: Buffer }>();
        const wiped: { record: SealedRecord; context: SealContext }[] = [];
        for (const { kind, place, plaintext } of steps) {
          const context = { sessionRef: 'session', owner: 'owner', provider: 'provider', generation: place };
          const held = sealed.get(place);
          if (kind === 'seal') {
            sealed.set(place, { record: vault.seal(Buffer.from(plaintext), context), plaintext });
          } else if (held && kind === 'open') {
            expect(vault.open(held.record, context).equals(held.plaintext)).toBe(true);
          } else if (held) {
            vault.wipe(held.record);
            wiped.push({ record: held.record, context });
            sealed.delete(place);
          }
          for (const { record, context } of wiped) {
            expect(isZero(record.salt) && isZero(record.bytes)).toBe(true);
            expect(() => vault.open(record, context)).toThrow('does not open');
          }
        }
      }),
    );
  });
});

describe('joined fields', () => {
  it('are the same for the same fields only [security 29]', () => {
    const field = fc.oneof(fc.string({ unit: fc.constantFrom('a', 'b', '\0'), maxLength: 3 }), bytes(3));
    const lists = fc.array(field, { maxLength: 4 });
    const hex = (fields: (string | Buffer)[]) => fields.map((each) => Buffer.from(each).toString('hex'));
    fc.assert(
      fc.property(lists, lists, (one, two) => {
        const sameFields = hex(one).join('|') === hex(two).join('|') && one.length === two.length;
        expect(joinFields(...one).equals(joinFields(...two))).toBe(sameFields);
      }),
      { numRuns: 1000 },
    );
  });

  it('can be told apart again', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(text, fc.integer(), bytes(300)), { maxLength: 6 }), (fields) => {
        const expected = fields.map((each) => Buffer.from(typeof each === 'number' ? String(each) : each));
        expect(split(joinFields(...fields))).toEqual(expected);
      }),
    );
  });
});

describe('a secret', () => {
  it('is the text or the bytes it was made from until it is wiped, and nothing after [security 31]', () => {
    fc.assert(
      fc.property(text, (value) => {
        for (const secret of [Secret.fromString(value), Secret.fromBytes(Buffer.from(value))]) {
          const { byteLength } = secret;
          expect(byteLength).toBe(Buffer.byteLength(value));
          expect(secret.reveal()).toBe(value);
          secret.wipe();
          secret.wipe();
          const target = Buffer.alloc(byteLength + 1, 7);
          expect(() => secret.reveal()).toThrow('wiped');
          expect(() => secret.copyTo(target, 0)).toThrow('wiped');
          expect(target.every((byte) => byte === 7)).toBe(true);
        }
      }),
    );
  });
});

describe('a token set', () => {
  it('comes back as it was, and leaves nothing in what it was read from', () => {
    const token = fc.string({ unit: 'binary', minLength: 1, maxLength: 3000, size: 'max' });
    fc.assert(
      fc.property(text, fc.option(token, { nil: undefined }), (accessToken, refreshToken) => {
        const encoded = encodeTokenSet({
          accessToken: Secret.fromString(accessToken),
          refreshToken: refreshToken === undefined ? undefined : Secret.fromString(refreshToken),
        });
        const decoded = decodeTokenSet(encoded);
        expect(decoded.accessToken.reveal()).toBe(accessToken);
        expect(decoded.refreshToken?.reveal()).toBe(refreshToken);
        expect(isZero(encoded)).toBe(true);
      }),
    );
  });
});

/** `bytes` with the part from `start` to `end` taken from the same place, counted from the same side, of `other`. */
function withPart(bytes: Buffer, other: Buffer, start: number, end = bytes.length): Buffer {
  const copy = Buffer.from(bytes);
  if (end === bytes.length) other.subarray(other.length - (end - start)).copy(copy, start);
  else other.copy(copy, start, start, end);
  return copy;
}

/** Reads fields that are each preceded by their length in four bytes. */
function split(joined: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  for (let offset = 0; offset < joined.length; ) {
    const end = offset + 4 + joined.readUInt32BE(offset);
    fields.push(Buffer.from(joined.subarray(offset + 4, end)));
    offset = end;
  }
  return fields;
}
