/**
 * A zeroed buffer outside the V8 heap and outside Node's shared pool.
 *
 * V8 keeps typed arrays of up to 64 bytes on its own heap, where the garbage collector copies them, and
 * `Buffer.from(string)` uses a shared pool. Neither can be wiped reliably.
 */
export function secretBuffer(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size));
}

/** The bytes of a text in a buffer of its own. `Buffer.from` would leave a copy in the shared pool. */
export function secretBytes(text: string, encoding: BufferEncoding = 'utf8'): Buffer {
  const bytes = secretBuffer(Buffer.byteLength(text, encoding));
  // Characters outside the encoding yield fewer bytes than `Buffer.byteLength` counts.
  return bytes.subarray(0, bytes.write(text, encoding));
}

/** A copy of bytes in a buffer of its own. `Buffer.concat` would use the shared pool. */
export function secretCopy(bytes: Uint8Array): Buffer {
  const copy = secretBuffer(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Overwrites a buffer with zeros. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0);
}
