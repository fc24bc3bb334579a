/** Where small pieces are collected at first. */
const SMALLEST_BYTES = 4096;

const decoder = new TextDecoder();

/**
 * What comes in pieces, put together outside the V8 heap: as strings, a few characters beyond Latin-1 double it, and
 * every small piece costs the heap hundreds of bytes.
 */
export class ByteBuilder {
  #bytes: Uint8Array = new Uint8Array(0);
  #size = 0;

  /** How many bytes have come. */
  get size(): number {
    return this.#size;
  }

  /** How many bytes are taken up by them, and by room for more. */
  get capacity(): number {
    return this.#bytes.length;
  }

  add(piece: Uint8Array): void {
    // Mostly there is one, and it is not copied.
    if (this.#size === 0) this.#bytes = piece;
    else {
      this.#growTo(this.#size + piece.length);
      this.#bytes.set(piece, this.#size);
    }
    this.#size += piece.length;
  }

  /** Drops what has come. */
  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#size = 0;
  }

  /** As UTF-8, with replacement characters for what is none; without a byte order mark. */
  text(): string {
    return decoder.decode(this.#bytes.subarray(0, this.#size));
  }

  #growTo(size: number): void {
    if (size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.#bytes.length, SMALLEST_BYTES));
    larger.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = larger;
  }
}
