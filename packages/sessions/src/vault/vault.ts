import { createCipheriv, createDecipheriv } from 'node:crypto';
import { SessionError } from '../errors.js';
import { joinFields } from './fields.js';
import type { KeyHierarchy, KeyPurpose } from './key-hierarchy.js';
import { wipe } from './memory.js';
import type { RandomSource } from './random.js';

const FORMAT_VERSION = 1;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const SALT_BYTES = 32;
const HEADER_BYTES = 1 + IV_BYTES;

/** The maximum size of a plaintext, unless the caller sets another one. Tokens are much smaller. */
const MAX_PLAINTEXT_BYTES = 64 * 1024;

/** The place that a record belongs to. It opens in no other place. */
export interface SealContext {
  readonly sessionRef: string;
  readonly owner: string;
  readonly provider: string;
  readonly generation: number;
}

/** A sealed plaintext: `bytes` is version ‖ IV ‖ ciphertext ‖ tag, `salt` the random part of its key. */
export interface SealedRecord {
  readonly salt: Buffer;
  readonly bytes: Buffer;
  /** Of a record in the memory of a store: to be called when it has been overwritten. */
  wiped?(): void;
}

/**
 * Seals plaintexts with AES-256-GCM (NIST SP 800-38D).
 *
 * Every record has its own key, derived from the hierarchy, the record's place and 32 random bytes that are kept with
 * the record. So a key seals exactly one plaintext, and wiping those bytes destroys the key. The place is also the
 * additional data: a record that is moved to another place does not open.
 */
export class Vault {
  readonly #keys: KeyHierarchy;
  readonly #random: RandomSource;
  readonly #purpose: KeyPurpose;
  readonly #maxBytes: number;

  constructor(
    keys: KeyHierarchy,
    random: RandomSource,
    purpose: KeyPurpose = 'tokens',
    maxBytes: number = MAX_PLAINTEXT_BYTES,
  ) {
    this.#keys = keys;
    this.#random = random;
    this.#purpose = purpose;
    this.#maxBytes = maxBytes;
  }

  /** Seals `plaintext` and wipes it. @throws RangeError if it is larger than `maxBytes` */
  seal(plaintext: Buffer, context: SealContext): SealedRecord {
    if (plaintext.length > this.#maxBytes) {
      wipe(plaintext);
      throw new RangeError(`A sealed record holds at most ${this.#maxBytes / 1024} KiB.`);
    }
    const salt = this.#random(SALT_BYTES);
    const iv = this.#random(IV_BYTES);
    const key = this.#key(context, salt);
    try {
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(additionalData(context));
      const bytes = Buffer.alloc(HEADER_BYTES + plaintext.length + TAG_BYTES);
      bytes.writeUInt8(FORMAT_VERSION, 0);
      iv.copy(bytes, 1);
      cipher.update(plaintext).copy(bytes, HEADER_BYTES);
      cipher.final();
      cipher.getAuthTag().copy(bytes, HEADER_BYTES + plaintext.length);
      return { salt, bytes };
    } finally {
      wipe(key);
      wipe(plaintext);
    }
  }

  /**
   * Opens a record. The caller wipes the plaintext.
   * @throws SessionError `sealed_record_invalid` if the record or its place has changed
   */
  open(record: SealedRecord, context: SealContext): Buffer {
    const { bytes } = record;
    if (bytes.length < HEADER_BYTES + TAG_BYTES || bytes[0] !== FORMAT_VERSION) throw invalidRecord();
    const key = this.#key(context, record.salt);
    const tagStart = bytes.length - TAG_BYTES;
    let plaintext: Buffer | undefined;
    try {
      // Without authTagLength, Node accepts a tag cut to four bytes.
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, HEADER_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(additionalData(context));
      decipher.setAuthTag(bytes.subarray(tagStart));
      plaintext = decipher.update(bytes.subarray(HEADER_BYTES, tagStart));
      decipher.final();
      return plaintext;
    } catch (cause) {
      if (plaintext) wipe(plaintext);
      throw invalidRecord(cause);
    } finally {
      wipe(key);
    }
  }

  /** Overwrites a record. Its key cannot be derived again. */
  wipe(record: SealedRecord): void {
    wipe(record.salt);
    wipe(record.bytes);
    record.wiped?.();
  }

  #key(context: SealContext, salt: Buffer): Buffer {
    const { sessionRef, provider, generation } = context;
    return this.#keys.derive(this.#purpose, sessionRef, provider, generation, salt);
  }
}

function additionalData(context: SealContext): Buffer {
  const { sessionRef, owner, provider, generation } = context;
  return joinFields(FORMAT_VERSION, sessionRef, owner, provider, generation);
}

function invalidRecord(cause?: unknown): SessionError {
  return new SessionError('sealed_record_invalid', 'A sealed record does not open. Log in again.', { cause });
}
