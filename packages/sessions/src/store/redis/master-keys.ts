import { SessionError } from '../../errors.js';
import type { MasterKey } from '../../vault/key-ring.js';
import { secretBytes, wipe } from '../../vault/memory.js';

const FORM = /^([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/]{43}=)$/;

/**
 * Parses master keys, `kid:base64` with 32 bytes each.
 * @throws SessionError `configuration`; the message does not repeat them
 */
export function parseMasterKeys(values: readonly string[]): [MasterKey, ...MasterKey[]] {
  const parsed: MasterKey[] = [];
  try {
    for (const value of values) parsed.push(parseMasterKey(value));
    return checked(parsed);
  } catch (error) {
    for (const { bytes } of parsed) wipe(bytes);
    throw error;
  }
}

function parseMasterKey(value: string): MasterKey {
  const [, id, base64] = FORM.exec(value.trim()) ?? [];
  if (id !== undefined && base64 !== undefined) return { id, bytes: secretBytes(base64, 'base64') };
  throw new SessionError(
    'configuration',
    'A master key is not `id:base64` with 32 random bytes in base64, such as `2026a:…=`. Generate one with `openssl rand -base64 32`.',
  );
}

function checked([newest, ...older]: readonly MasterKey[]): [MasterKey, ...MasterKey[]] {
  if (!newest) {
    throw new SessionError(
      'configuration',
      '`keys` is empty. Add a master key, the same for all nodes: `id:base64`, from `openssl rand -base64 32`.',
    );
  }
  if (new Set([newest, ...older].map(({ id }) => id)).size <= older.length)
    throw new SessionError('configuration', 'Two master keys have the same id. Give each a different one.');
  return [newest, ...older];
}
