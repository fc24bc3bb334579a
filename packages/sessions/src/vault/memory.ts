/**
 * A zeroed buffer outside the V8 heap and outside Node's shared pool.
 *
 * V8 keeps typed arrays of up to 64 bytes on its own heap, where the garbage collector copies them about,
 * and `Buffer.from(string)` shares one slab among many; neither can be wiped for certain.
 */
export function secretBuffer(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size));
}

/** Overwrites a buffer with zeros. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0);
}
