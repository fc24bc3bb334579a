/**
 * Joins fields so that no two different lists give the same bytes: each is preceded by its length.
 * Used for everything that is authenticated or derived from, never for secrets.
 */
export function joinFields(...fields: readonly (string | number | Uint8Array)[]): Buffer {
  const parts = fields.map((field) =>
    typeof field === 'object' ? field : Buffer.from(String(field), 'utf8'),
  );
  const joined = Buffer.alloc(parts.reduce((size, part) => size + 4 + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    offset = joined.writeUInt32BE(part.length, offset);
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
