/** Every body may have this many chunks, */
const MAX_CHUNKS = 4096;
/** and one more for each of this many bytes. Bodies in chunks of usual sizes never reach the limit. */
const BYTES_PER_EXTRA_CHUNK = 256;

/**
 * Limits the number of chunks of a body. Each chunk takes about the same CPU time, whatever its size, and a client can
 * send every byte as a chunk (RFC 9112 section 7.1).
 */
export class ChunkLimit {
  #count = 0;
  #bytes = 0;

  /** Counts a chunk. @returns whether the limit is exceeded */
  add(bytes: number): boolean {
    this.#count++;
    this.#bytes += bytes;
    return this.#count > MAX_CHUNKS + this.#bytes / BYTES_PER_EXTRA_CHUNK;
  }
}
