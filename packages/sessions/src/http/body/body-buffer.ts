import { ByteBuilder } from '../../limits/byte-builder.js';
import type { ClientKey } from '../../limits/client-key.js';
import type { BodyMemoryLimit, MemoryReservation } from './body-memory-limit.js';
import type { JsonScan, ScanRefusal } from './json-scan.js';

export interface BodyLimits {
  readonly maxBytes: number;
  readonly memory: BodyMemoryLimit;
  /** Scans a JSON body. */
  readonly scan?: JsonScan | undefined;
}

/** Why a body is refused. */
export type BodyRefusal = 'too-large' | 'too-many-chunks' | 'memory-full' | 'unreadable' | ScanRefusal;

/** Collects the chunks of one body, and refuses it as soon as it exceeds a limit. */
export class BodyBuffer {
  readonly #limits: BodyLimits;
  readonly #clientKey: ClientKey | undefined;
  readonly #onRefused: (refusal: BodyRefusal) => void;
  readonly #bytes = new ByteBuilder();
  readonly #chunks = new ChunkLimit();
  #scannedBytes = 0;
  #reservation: MemoryReservation | undefined;
  #refusal: BodyRefusal | undefined;

  /** @param onRefused called for every refusal, with the reason of the first one */
  constructor(
    limits: BodyLimits,
    clientKey: ClientKey | undefined,
    onRefused: (refusal: BodyRefusal) => void,
  ) {
    this.#limits = limits;
    this.#clientKey = clientKey;
    this.#onRefused = onRefused;
  }

  /** Why the body is refused, if it is. */
  get refusal(): BodyRefusal | undefined {
    return this.#refusal;
  }

  get size(): number {
    return this.#bytes.size;
  }

  /** Adds a chunk, which is not scanned yet. */
  add(chunk: Uint8Array): void {
    if (this.#refusal) return;
    const refusal = this.#refusalOf(chunk);
    if (refusal) {
      this.refuse(refusal);
      return;
    }
    this.#bytes.add(chunk);
    const { capacity } = this.#bytes;
    if (this.#reservation) this.#reservation.resize(capacity);
    else
      this.#reservation = this.#limits.memory.reserve(this.#clientKey, capacity, () =>
        this.refuse('memory-full'),
      );
  }

  /** Scans what has been added since the last scan. */
  scan(): void {
    if (this.#refusal) return;
    const refusal = this.#limits.scan?.add(this.#bytes.from(this.#scannedBytes));
    this.#scannedBytes = this.#bytes.size;
    if (refusal) this.refuse(refusal);
  }

  /** Refuses the body, unless it is refused already, and drops its bytes. */
  refuse(refusal: BodyRefusal): void {
    this.#refusal ??= refusal;
    this.#bytes.clear();
    this.#onRefused(this.#refusal);
  }

  /** Ends the body, after its last chunk. */
  end(): void {
    const refusal = this.#limits.scan?.end();
    if (refusal) this.refuse(refusal);
  }

  /** Frees the memory that is reserved while the body arrives. */
  release(): void {
    this.#reservation?.release();
  }

  text(): string {
    return this.#bytes.text();
  }

  #refusalOf(chunk: Uint8Array): BodyRefusal | undefined {
    if (this.#bytes.size + chunk.length > this.#limits.maxBytes) return 'too-large';
    return this.#chunks.add(chunk.length) ? 'too-many-chunks' : undefined;
  }
}

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
