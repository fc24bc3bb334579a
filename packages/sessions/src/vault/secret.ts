import { inspect } from 'node:util';
import { secretBuffer, secretBytes, wipe } from './memory.js';

const REDACTED = '[secret]';

/**
 * A secret on its way: kept as bytes outside the V8 heap, shown to nobody by accident.
 *
 * `toString`, `toJSON` and `inspect` redact. {@link reveal} makes a string, which JavaScript cannot wipe:
 * call it at the moment of use and let the string go.
 */
export class Secret {
  readonly #bytes: Buffer;
  #wiped = false;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Copies a string into a secret. */
  static fromString(value: string): Secret {
    return new Secret(secretBytes(value));
  }

  /** Copies bytes into a secret; the source stays the caller's to wipe. */
  static fromBytes(value: Uint8Array): Secret {
    const bytes = secretBuffer(value.length);
    bytes.set(value);
    return new Secret(bytes);
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  /** The secret as text. @throws when it has been wiped. */
  reveal(): string {
    this.#assertAlive();
    return this.#bytes.toString('utf8');
  }

  /** Copies the secret's bytes to `target` at `offset`. @throws when it has been wiped. */
  copyTo(target: Buffer, offset: number): void {
    this.#assertAlive();
    this.#bytes.copy(target, offset);
  }

  /** Overwrites the bytes. Whoever still holds this object can no longer reveal anything. */
  wipe(): void {
    this.#wiped = true;
    wipe(this.#bytes);
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  #assertAlive(): void {
    if (this.#wiped) throw new Error('This secret has been wiped.');
  }
}

Object.defineProperty(Secret.prototype, inspect.custom, { value: () => REDACTED });
