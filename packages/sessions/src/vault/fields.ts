import { secretBuffer } from './memory.js';

/**
 * Joins fields so that no two different lists give the same bytes: each is preceded by its length. The result may
 * contain session ids and random bytes of records: wipe it after use.
 */
export function joinFields(...fields: readonly (string | number | Uint8Array)[]): Buffer {
  const parts = fields.map((field) => (typeof field === 'object' ? field : String(field)));
  const sizes = parts.map((part) => (typeof part === 'string' ? Buffer.byteLength(part) : part.length));
  const joined = secretBuffer(sizes.reduce((total, size) => total + 4 + size, 0));
  let offset = 0;
  for (const [index, part] of parts.entries()) {
    const size = sizes[index] ?? 0;
    offset = joined.writeUInt32BE(size, offset);
    if (typeof part === 'string') joined.write(part, offset);
    else joined.set(part, offset);
    offset += size;
  }
  return joined;
}
