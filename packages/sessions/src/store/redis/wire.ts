import { secretBytes } from '../../vault/memory.js';

/**
 * A record as text. Buffers become lists of a list, which no record has: `[["base64"]]`. Fields that are `undefined` are
 * left out.
 */
export function textOf(record: object): string {
  return JSON.stringify(record, function (this: Record<string, unknown>, name, value: unknown) {
    // `value` is what `Buffer.toJSON` has returned, the holder has the buffer.
    const held = this[name];
    return Buffer.isBuffer(held) ? [[held.toString('base64')]] : value;
  });
}

/** The record of a text that {@link textOf} has made. */
export function recordOf(text: string): unknown {
  return JSON.parse(text, (_name, value: unknown) => {
    if (!Array.isArray(value) || !Array.isArray(value[0])) return value;
    return secretBytes(String(value[0][0]), 'base64');
  });
}
