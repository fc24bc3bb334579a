import { secretBuffer } from './memory.js';

/**
 * Joins fields so that no two different lists give the same bytes: each is preceded by its length. The result may
 * contain session ids and random bytes of records: wipe it after use.
 */
export function joinFields(...fields: readonly (string | number | Uint8Array)[]): Buffer {
  let bytes = 0;
  for (const field of fields) bytes += 4 + sizeOf(field);
  const joined = secretBuffer(bytes);
  let offset = 0;
  for (const field of fields) {
    const size = sizeOf(field);
    offset = joined.writeUInt32BE(size, offset);
    if (typeof field === 'object') joined.set(field, offset);
    else joined.write(String(field), offset);
    offset += size;
  }
  return joined;
}

function sizeOf(field: string | number | Uint8Array): number {
  return typeof field === 'object' ? field.length : Buffer.byteLength(String(field));
}
