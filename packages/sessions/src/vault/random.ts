import { randomBytes } from 'node:crypto';

/** A source of cryptographically secure random bytes; each call returns a fresh buffer of its own. */
export type RandomSource = (size: number) => Buffer;

/** Node's CSPRNG. */
export const systemRandom: RandomSource = (size) => randomBytes(size);

/** 48 random bits, as a number: another one than all others of its kind. */
export function randomNumber(random: RandomSource): number {
  return random(6).readUIntBE(0, 6);
}

/** 256 random bits in base64url: 43 characters that need no escaping anywhere. */
export function randomToken(random: RandomSource): string {
  return random(32).toString('base64url');
}
