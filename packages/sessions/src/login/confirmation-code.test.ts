import { describe, expect, it } from 'vitest';
import { systemRandom } from '../vault/random.js';
import { mintConfirmationCode, normaliseConfirmationCode } from './confirmation-code.js';

describe('confirmation codes', () => {
  it('are eight characters of base 32, 40 random bits', () => {
    const codes = Array.from({ length: 1000 }, () => mintConfirmationCode(systemRandom));
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
  });

  it('depend on every random bit', () => {
    expect(mintConfirmationCode(() => Buffer.alloc(5, 0xff))).toBe('ZZZZ-ZZZZ');
    expect(mintConfirmationCode(() => Buffer.from('0000000001', 'hex'))).toBe('0000-0001');
  });

  it.each(['K7QF-01AB', 'k7qf01ab', ' k7qf 01ab ', 'K7QF-O1AB', 'K7QF-OIAB', 'k7qf-olab'])(
    'are accepted in every usual spelling: %j',
    (typed) => {
      expect(normaliseConfirmationCode(typed)).toBe('K7QF-01AB');
    },
  );
});
