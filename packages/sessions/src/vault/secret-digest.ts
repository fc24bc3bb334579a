import { createHash, timingSafeEqual } from 'node:crypto';
import { secretBytes } from './memory.js';

/** SHA-256 in base64url, for looking up and comparing random secrets. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Compares two digests, or message authentication codes, in constant time. */
export function isSameDigest(a: string, b: string): boolean {
  const left = secretBytes(a);
  const right = secretBytes(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
