import { createHmac } from 'node:crypto';
import { joinFields } from './fields.js';
import { secretBuffer, wipe } from './memory.js';

/** Keys derived for one purpose are of no use for another. */
export type KeyPurpose =
  | 'tokens'
  | 'request-state'
  | 'id-lookup'
  | 'log-id'
  | 'public-id'
  | 'session-state'
  | 'form';

const VERSION = 1;
const KEY_BYTES = 32;
const EXTRACT_SALT = 'mcp-sessions';
const FIRST_BLOCK = Uint8Array.of(1);

/**
 * HKDF-SHA-256 (RFC 5869) over one master key: Extract once, then one Expand block, which is one HMAC,
 * for every key that is asked for.
 */
export class KeyHierarchy {
  readonly #pseudoRandomKey: Buffer;
  readonly #purposeKeys = new Map<KeyPurpose, Buffer>();
  #isWiped = false;

  /** @param masterKey 32 random bytes; wiped before the constructor returns. */
  constructor(masterKey: Buffer) {
    if (masterKey.length !== KEY_BYTES) throw new RangeError('The master key must have 32 bytes.');
    this.#pseudoRandomKey = digest(createHmac('sha256', EXTRACT_SALT).update(masterKey));
    wipe(masterKey);
  }

  /**
   * A 32-byte key for `purpose` and `info` (RFC 5869 section 2.3, with L = 32).
   * It is the caller's: wipe it after use.
   */
  derive(purpose: KeyPurpose, ...info: readonly (string | number | Uint8Array)[]): Buffer {
    if (this.#isWiped) throw new Error('The keys of this server have been destroyed: it is closed.');
    const hmac = createHmac('sha256', this.#pseudoRandomKey);
    const joined = joinFields(VERSION, purpose, ...info);
    try {
      return digest(hmac.update(joined).update(FIRST_BLOCK));
    } finally {
      // The random bytes of a record are among them, and have to be gone when the record is.
      wipe(joined);
    }
  }

  /** HMAC-SHA-256 of `fields` under the key of `purpose`: a name for a value that does not reveal it. */
  mac(purpose: Exclude<KeyPurpose, 'tokens'>, ...fields: readonly (string | number)[]): Buffer {
    let key = this.#purposeKeys.get(purpose);
    if (!key) {
      key = this.derive(purpose);
      this.#purposeKeys.set(purpose, key);
    }
    const joined = joinFields(...fields);
    try {
      return createHmac('sha256', key).update(joined).digest();
    } finally {
      wipe(joined);
    }
  }

  /** Destroys every key. Nothing that was sealed can be opened again. */
  wipe(): void {
    this.#isWiped = true;
    wipe(this.#pseudoRandomKey);
    for (const key of this.#purposeKeys.values()) wipe(key);
    this.#purposeKeys.clear();
  }
}

function digest(hmac: ReturnType<typeof createHmac>): Buffer {
  const output = hmac.digest();
  const key = secretBuffer(KEY_BYTES);
  output.copy(key);
  wipe(output);
  return key;
}
