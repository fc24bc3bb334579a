import { inspect } from 'node:util';
import { secretBuffer, secretBytes, wipe } from './memory.js';

const REDACTED = '[secret]';

/**
 * A secret as bytes outside the V8 heap. `toString`, `toJSON` and `inspect` redact it. {@link reveal} creates a string,
 * which JavaScript cannot wipe: call it at the moment of use, and do not keep the string.
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

  /** Copies bytes into a secret. The caller wipes the source. */
  static fromBytes(value: Uint8Array): Secret {
    const bytes = secretBuffer(value.length);
    bytes.set(value);
    return new Secret(bytes);
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  /** The secret as text. @throws Error if it is wiped */
  reveal(): string {
    this.#assertNotWiped();
    return this.#bytes.toString('utf8');
  }

  /** Copies the secret's bytes to `target` at `offset`. @throws Error if it is wiped */
  copyTo(target: Buffer, offset: number): void {
    this.#assertNotWiped();
    this.#bytes.copy(target, offset);
  }

  /** Overwrites the bytes. From then on, `reveal` and `copyTo` throw. */
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

  #assertNotWiped(): void {
    if (this.#wiped) throw new Error('This secret has been wiped.');
  }
}

Object.defineProperty(Secret.prototype, inspect.custom, { value: () => REDACTED });

/** Shorter secrets could also be part of ordinary words. */
const MIN_SEARCHED_LENGTH = 8;

/**
 * Calls `use` with the text of a secret, and wipes the secret. An error whose text, causes or properties contain the
 * secret is replaced, because errors are shown to models, and logged.
 * @throws the error of `use`, or a TypeError in its place
 */
export async function useSecret<T>(secret: Secret, use: (text: string) => Promise<T>): Promise<T> {
  const text = secret.reveal();
  secret.wipe();
  try {
    return await use(text);
  } catch (error) {
    const hasSecret =
      text.length >= MIN_SEARCHED_LENGTH &&
      inspect(error, { depth: 8, maxStringLength: null }).includes(text);
    throw hasSecret
      ? new TypeError('The call failed. Its error contains the access token and is not shown.')
      : error;
  }
}
