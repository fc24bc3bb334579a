import { createHmac } from 'node:crypto';
import { storeUnavailable } from '../errors.js';
import { joinFields } from './fields.js';
import { secretBuffer, wipe } from './memory.js';

/** The purpose of a derived key. Keys of different purposes are independent. */
export type KeyPurpose =
  | 'tokens'
  | 'request-state'
  | 'id-lookup'
  | 'log-id'
  | 'public-id'
  | 'session-state'
  | 'form'
  /** Records in an engine that several nodes share. */
  | 'records'
  /** Names of keys in such an engine. */
  | 'engine-name';

const VERSION = 1;
const KEY_BYTES = 32;
const EXTRACT_SALT = 'mcp-sessions';
const FIRST_BLOCK = Uint8Array.of(1);

/**
 * HKDF-SHA-256 (RFC 5869) over one master key: one Extract, then one Expand block (one HMAC) for every derived key.
 */
export class KeyHierarchy {
  #pseudoRandomKey: Buffer | undefined;
  readonly #purposeKeys = new Map<KeyPurpose, Buffer>();
  #isWiped = false;

  /**
   * @param masterKey 32 random bytes; wiped before the constructor returns. Absent: every derivation throws SessionError
   * `store_unavailable` until {@link adopt}
   */
  constructor(masterKey?: Buffer) {
    if (masterKey) this.adopt(masterKey);
  }

  /** Replaces the master key. What was derived from the one before is void. @param masterKey as in the constructor */
  adopt(masterKey: Buffer): void {
    if (masterKey.length !== KEY_BYTES) throw new RangeError('The master key must have 32 bytes.');
    this.#forget();
    if (!this.#isWiped) this.#pseudoRandomKey = digest(createHmac('sha256', EXTRACT_SALT).update(masterKey));
    wipe(masterKey);
  }

  /**
   * A 32-byte key for `purpose` and `info` (RFC 5869 section 2.3, with L = 32).
   * The caller wipes it.
   */
  derive(purpose: KeyPurpose, ...info: readonly (string | number | Uint8Array)[]): Buffer {
    if (this.#isWiped) throw new Error('The keys of this server have been destroyed: it is closed.');
    if (!this.#pseudoRandomKey) throw storeUnavailable(undefined);
    const hmac = createHmac('sha256', this.#pseudoRandomKey);
    const joined = joinFields(VERSION, purpose, ...info);
    try {
      return digest(hmac.update(joined).update(FIRST_BLOCK));
    } finally {
      // The random bytes of a record are among them, and must be wiped with the record.
      wipe(joined);
    }
  }

  /**
   * HMAC-SHA-256 of `fields` under the key of `purpose`. It does not reveal the fields. No two different lists give the
   * same text: each field is preceded by its length. A string takes half the time of a buffer, and adds no secret to the
   * V8 heap, where the fields are already.
   */
  mac(purpose: Exclude<KeyPurpose, 'tokens'>, ...fields: readonly (string | number)[]): Buffer {
    let key = this.#purposeKeys.get(purpose);
    if (!key) {
      key = this.derive(purpose);
      this.#purposeKeys.set(purpose, key);
    }
    let text = '';
    for (const field of fields) {
      const part = String(field);
      text += `${part.length}:${part}`;
    }
    return createHmac('sha256', key).update(text).digest();
  }

  /** Destroys every key. Nothing that was sealed can be opened again. */
  wipe(): void {
    this.#isWiped = true;
    this.#forget();
  }

  #forget(): void {
    if (this.#pseudoRandomKey) wipe(this.#pseudoRandomKey);
    this.#pseudoRandomKey = undefined;
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
