import type { ClientKey } from '../../limits/client-key.js';
import { FairEviction } from '../../limits/fair-eviction.js';

/** The maximum number of bytes of all bodies that are being received or processed. */
export const MAX_BODIES_BYTES: number = 64 * 1024 * 1024;
/** A body counts with a whole number of blocks. */
const BLOCK_BYTES = 4096;
/** Bodies above this size are evicted first. */
const SMALL_BYTES = 64 * 1024;

/** The memory that is reserved for one body. */
export interface MemoryReservation {
  /** Changes the size in bytes. This may evict a body, also this one. */
  resize(bytes: number): void;
  /** Frees the memory. */
  release(): void;
}

interface Body {
  readonly blocks: Block[];
  readonly onEvicted: () => void;
  /** Returns its current size in bytes, if it can shrink without a call of `resize`. */
  readonly currentBytes: (() => number) | undefined;
}

/** The bodies of one client, the oldest first. */
interface Sender {
  readonly small: Set<Body>;
  readonly large: Set<Body>;
}

interface Block {
  readonly sender: Sender;
}

/**
 * Limits the memory of all bodies, because a client can send each of them as slowly as the time limit of a request
 * allows. Above the limit, the client that uses the most memory loses its oldest large body, which is its slowest.
 */
export class BodyMemoryLimit {
  readonly #maxBlocks: number;
  readonly #blocks = new FairEviction<Block>();
  #blockCount = 0;
  #unknownClients = 0;

  /** @param maxBytes the maximum number of bytes of all bodies. Default: 64 MiB. */
  constructor(maxBytes: number = MAX_BODIES_BYTES) {
    this.#maxBlocks = maxBytes / BLOCK_BYTES;
  }

  /** The number of bytes in use. */
  get size(): number {
    return this.#blockCount * BLOCK_BYTES;
  }

  /**
   * Reserves memory for a body.
   * @param clientKey the client that the body counts for; absent: the body counts for itself
   * @param onEvicted called when the body is evicted, possibly before this function returns; it no longer counts then
   * @param currentBytes returns its current size in bytes, if it can shrink without a call of `resize`
   */
  reserve(
    clientKey: ClientKey | undefined,
    bytes: number,
    onEvicted: () => void,
    currentBytes?: () => number,
  ): MemoryReservation {
    const quotaKey = clientKey ?? `unknown ${this.#unknownClients++}`;
    const [block] = this.#blocks.of(quotaKey);
    const sender = block?.sender ?? { small: new Set(), large: new Set() };
    const body: Body = { blocks: [], onEvicted, currentBytes };
    sender.small.add(body);
    const resize = (size: number) => {
      if (size > SMALL_BYTES && sender.small.delete(body)) sender.large.add(body);
      this.#shrink(body, size);
      while (body.blocks.length * BLOCK_BYTES < size) this.#add({ sender }, body, quotaKey);
      while (this.#blockCount > this.#maxBlocks) this.#evict();
    };
    resize(bytes);
    return { resize, release: () => this.#release(body, sender) };
  }

  #add(block: Block, body: Body, quotaKey: string): void {
    body.blocks.push(block);
    this.#blocks.add(block, quotaKey);
    this.#blockCount++;
  }

  #evict(): void {
    for (const { sender } of this.#blocks.largest()) {
      for (const body of sender.large.size > 0 ? sender.large : sender.small) {
        if (body.currentBytes && this.#shrink(body, body.currentBytes())) return;
        this.#release(body, sender);
        body.onEvicted();
        return;
      }
    }
  }

  /** @returns whether the body has shrunk */
  #shrink(body: Body, size: number): boolean {
    const spare = body.blocks.splice(Math.ceil(size / BLOCK_BYTES));
    for (const block of spare) this.#remove(block);
    return spare.length > 0;
  }

  #remove(block: Block): void {
    this.#blocks.delete(block);
    this.#blockCount--;
  }

  #release(body: Body, sender: Sender): void {
    sender.small.delete(body);
    sender.large.delete(body);
    for (const block of body.blocks.splice(0)) this.#remove(block);
  }
}
