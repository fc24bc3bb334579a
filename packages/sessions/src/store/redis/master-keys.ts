import { SessionError } from '../../errors.js';
import type { MasterKey } from '../../vault/key-ring.js';
import { secretBytes } from '../../vault/memory.js';

const FORM = /^([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/]{43}=)$/;

/**
 * Parses master keys, `kid:base64` with 32 bytes each.
 * @throws SessionError `configuration`; the message does not repeat them
 */
export function parseMasterKeys(values: readonly string[]): [MasterKey, ...MasterKey[]] {
  const [newest, ...older] = values.map((value): MasterKey => {
    const [, id, base64] = FORM.exec(value.trim()) ?? [];
    if (id !== undefined && base64 !== undefined) return { id, bytes: secretBytes(base64, 'base64') };
    throw new SessionError(
      'configuration',
      'A master key is not `id:base64` with 32 random bytes in base64, such as `2026a:…=`. Generate one with `openssl rand -base64 32`.',
    );
  });
  if (!newest) {
    throw new SessionError(
      'configuration',
      '`keys` is empty. Add a master key, the same for all nodes: `id:base64`, from `openssl rand -base64 32`.',
    );
  }
  if (new Set(values.map((value) => value.trim().split(':')[0])).size < values.length)
    throw new SessionError('configuration', 'Two master keys have the same id. Give each a different one.');
  return [newest, ...older];
}
