import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  mintConfirmationCode,
  normaliseConfirmationCode,
} from '../../packages/sessions/src/login/confirmation-code.js';

const fiveBytes = fc.uint8Array({ minLength: 5, maxLength: 5 });
const codeOf = (random: Uint8Array) => mintConfirmationCode(() => Buffer.from(random));

/** How people write a digit or letter of a code. */
const lookalikes: Record<string, string[]> = { '0': ['0', 'O', 'o'], '1': ['1', 'I', 'i', 'L', 'l'] };

/** A code as a user may type it: any case, the usual confusions, spaces and hyphens anywhere. */
const typedCodes = fiveBytes.chain((random) => {
  const code = codeOf(random);
  const signs = [...code.replace('-', '')].map((sign) =>
    fc.constantFrom(...(lookalikes[sign] ?? [sign, sign.toLowerCase()])),
  );
  const gap = fc.string({ unit: fc.constantFrom(' ', '-', '\t'), maxLength: 2 });
  return fc.tuple(fc.tuple(...signs), fc.array(gap, { minLength: 9, maxLength: 9 })).map(([typed, gaps]) => ({
    code,
    typed: gaps.map((each, index) => each + (typed[index] ?? '')).join(''),
  }));
});

describe('a confirmation code', () => {
  it('is recognised however it is typed', () => {
    fc.assert(
      fc.property(typedCodes, ({ code, typed }) => {
        expect(normaliseConfirmationCode(typed)).toBe(code);
      }),
      { numRuns: 500 },
    );
  });

  it('is another for other random bits, also once it is normalised', () => {
    fc.assert(
      fc.property(fiveBytes, fc.nat({ max: 39 }), (random, bit) => {
        const other = Uint8Array.from(random);
        other[bit >> 3]! ^= 1 << (bit & 7);
        expect(normaliseConfirmationCode(codeOf(other))).not.toBe(normaliseConfirmationCode(codeOf(random)));
      }),
    );
  });
});
