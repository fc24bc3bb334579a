import type { ClientKey } from '../../limits/client-key.js';
import { FairEviction } from '../../limits/fair-eviction.js';

/** The maximum number of bytes of all bodies that are being received or served. */
export const MAX_BODIES_BYTES: number = 64 * 1024 * 1024;
/** What is counted: a body takes up a whole number of these. */
const BLOCK_BYTES = 4096;
/** A body beyond this makes room before a smaller one does. */
const SMALL_BYTES = 64 * 1024;

/** A body that is being received. */
export interface HeldBody {
  /** Counts it with so many bytes from now on; that may be too much, and it the one that goes. */
  resize(bytes: number): void;
  /** Counts it no longer. */
  release(): void;
}

interface Body {
  readonly blocks: Block[];
  readonly giveUp: () => void;
  /** Its current size in bytes, if it can shrink without a call of `resize`. */
  readonly actual: (() => number) | undefined;
}

/** Whoever sends bodies; the oldest of them first. */
interface Sender {
  readonly small: Set<Body>;
  readonly large: Set<Body>;
}

interface Block {
  readonly sender: Sender;
}

/**
 * The room for bodies that are being received, which a client can hold back for as long as a request may take. When
 * it is full, whoever takes up most of it loses a body: the oldest large one, which is the slowest.
 */
export class BodyMemoryLimit {
  readonly #mostBlocks: number;
  readonly #blocks = new FairEviction<Block>();
  #blockCount = 0;
  #nameless = 0;

  /** @param mostBytes how much may be held. Default: 64 MiB. */
  constructor(mostBytes: number = MAX_BODIES_BYTES) {
    this.#mostBlocks = mostBytes / BLOCK_BYTES;
  }

  /** How many bytes are taken up. */
  get size(): number {
    return this.#blockCount * BLOCK_BYTES;
  }

  /**
   * Takes in a body of which so many bytes have come.
   * @param clientKey the address that it counts for; absent: for nobody but itself
   * @param giveUp called when it has to make room, which may be at once; it is not counted then
   * @param actual its current size in bytes, if it can shrink without a call of `resize`
   */
  hold(clientKey: ClientKey | undefined, bytes: number, giveUp: () => void, actual?: () => number): HeldBody {
    const quotaKey = clientKey ?? `nameless ${this.#nameless++}`;
    const [held] = this.#blocks.of(quotaKey);
    const sender = held?.sender ?? { small: new Set(), large: new Set() };
    const body: Body = { blocks: [], giveUp, actual };
    sender.small.add(body);
    const resize = (size: number) => {
      if (size > SMALL_BYTES && sender.small.delete(body)) sender.large.add(body);
      this.#shrink(body, size);
      while (body.blocks.length * BLOCK_BYTES < size) this.#add({ sender }, body, quotaKey);
      while (this.#blockCount > this.#mostBlocks) this.#makeRoom();
    };
    resize(bytes);
    return { resize, release: () => this.#release(body, sender) };
  }

  #add(block: Block, body: Body, quotaKey: string): void {
    body.blocks.push(block);
    this.#blocks.add(block, quotaKey);
    this.#blockCount++;
  }

  #makeRoom(): void {
    for (const { sender } of this.#blocks.largest()) {
      for (const body of sender.large.size > 0 ? sender.large : sender.small) {
        if (body.actual && this.#shrink(body, body.actual())) return;
        this.#release(body, sender);
        body.giveUp();
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
