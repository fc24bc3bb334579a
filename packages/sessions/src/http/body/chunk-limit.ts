/** A body may come in so many pieces, */
const MAX_CHUNKS = 4096;
/** and in one more for so many bytes: those that come in proper ones never have too many. */
const BYTES_FOR_ONE_MORE = 256;

/**
 * Counts the pieces in which a body comes. Each of them costs much the same, be it a byte or many thousands, and a
 * client can make every byte a chunk of its own (RFC 9112 section 7.1).
 */
export class ChunkLimit {
  #count = 0;
  #bytes = 0;

  /** Counts one. @returns whether there are too many now */
  add(bytes: number): boolean {
    this.#count++;
    this.#bytes += bytes;
    return this.#count > MAX_CHUNKS + this.#bytes / BYTES_FOR_ONE_MORE;
  }
}
