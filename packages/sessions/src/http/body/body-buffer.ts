import { ByteBuilder } from '../../limits/byte-builder.js';
import type { ClientKey } from '../../limits/client-key.js';
import type { BodyMemoryLimit, MemoryReservation } from './body-memory-limit.js';
import { ChunkLimit } from './chunk-limit.js';
import type { JsonScan, ScanRefusal } from './json-scan.js';

export interface BodyLimits {
  readonly maxBytes: number;
  readonly memory: BodyMemoryLimit;
  /** Scans a JSON body while it arrives. */
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
    const { maxBytes, scan } = this.#limits;
    if (this.#bytes.size + chunk.length > maxBytes) return 'too-large';
    return this.#chunks.add(chunk.length) ? 'too-many-chunks' : scan?.add(chunk);
  }
}
