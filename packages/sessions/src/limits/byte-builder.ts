/** The first allocation for several chunks. */
const MIN_BYTES = 4096;

const decoder = new TextDecoder();

/**
 * Concatenates chunks outside of the V8 heap. On the heap, each small chunk takes hundreds of bytes, and one character
 * outside of Latin-1 doubles the size of a string.
 */
export class ByteBuilder {
  #bytes: Uint8Array = new Uint8Array(0);
  #size = 0;

  /** The number of bytes. */
  get size(): number {
    return this.#size;
  }

  /** The number of allocated bytes. */
  get capacity(): number {
    return this.#bytes.length;
  }

  add(chunk: Uint8Array): void {
    // A single chunk, the usual case, is not copied.
    if (this.#size === 0) this.#bytes = chunk;
    else {
      this.#growTo(this.#size + chunk.length);
      this.#bytes.set(chunk, this.#size);
    }
    this.#size += chunk.length;
  }

  /** The bytes from an index on, until more bytes are added. */
  from(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.#size);
  }

  /** Drops all bytes. */
  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#size = 0;
  }

  /** Decodes the bytes as UTF-8, with replacement characters for invalid bytes, and without a byte order mark. */
  text(): string {
    return decoder.decode(this.#bytes.subarray(0, this.#size));
  }

  #growTo(size: number): void {
    if (size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.#bytes.length, MIN_BYTES));
    larger.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = larger;
  }
}
