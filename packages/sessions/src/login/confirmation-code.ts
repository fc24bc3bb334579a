import type { RandomSource } from '../vault/random.js';
import { digestOf, isSameDigest } from '../vault/secret-digest.js';

/** How long a confirmation code is valid. */
export const CODE_LIFETIME_MS: number = 5 * 60 * 1000;
/** How many codes may be tried. */
export const MAX_CODE_TRIES = 5;

/** Crockford's base 32, without the letters that look like digits. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Generates a one-time code of 40 random bits, as `XXXX-XXXX`. */
export function mintConfirmationCode(random: RandomSource): string {
  let bits = BigInt(`0x${random(5).toString('hex')}`);
  let code = '';
  for (let digit = 0; digit < 8; digit++) {
    code = ALPHABET.charAt(Number(bits % 32n)) + code;
    bits /= 32n;
  }
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}

/** Normalises a typed code for comparison: ignores case, spaces and hyphens, and reads O as 0 and I and L as 1. */
export function normaliseConfirmationCode(typed: string): string {
  const letters = typed.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** Whether a code, as the user typed it, has this digest. */
export function isCorrectCode(typed: string, codeDigest: string): boolean {
  return isSameDigest(digestOf(normaliseConfirmationCode(typed)), codeDigest);
}
