import type { ClientKey } from '../../limits/client-key.js';
import { type Linked, LinkedList } from '../../limits/linked-list.js';

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

interface Body extends Linked<Body> {
  readonly sender: Sender;
  readonly onEvicted: () => void;
  /** Returns its current size in bytes, if it can shrink without a call of `resize`. */
  readonly currentBytes: (() => number) | undefined;
  blocks: number;
  /** The list that it is in; `undefined` once it no longer counts. */
  list: LinkedList<Body> | undefined;
}

/** The bodies of one client, the oldest first. */
interface Sender extends Linked<Sender> {
  /** Absent: the sender of one body. */
  readonly clientKey: ClientKey | undefined;
  readonly small: LinkedList<Body>;
  readonly large: LinkedList<Body>;
  blocks: number;
}

/**
 * Limits the memory of all bodies, because a client can send each of them as slowly as the time limit of a request
 * allows. Above the limit, the client that uses the most memory loses its oldest large body, which is its slowest.
 */
export class BodyMemoryLimit {
  readonly #maxBlocks: number;
  readonly #senders = new Map<ClientKey, Sender>();
  /** Senders by their number of blocks. Among equal numbers, the sender that is unchanged longest is first. */
  readonly #bySize = new Map<number, LinkedList<Sender>>();
  #largest = 0;
  #blockCount = 0;

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
    const sender = this.#senderOf(clientKey);
    const list = sender.small;
    const links = { previous: undefined, next: undefined };
    const body: Body = { sender, onEvicted, currentBytes, blocks: 0, list, ...links };
    list.add(body);
    this.resize(body, bytes);
    return new Reservation(this, body);
  }

  #senderOf(clientKey: ClientKey | undefined): Sender {
    const known = clientKey === undefined ? undefined : this.#senders.get(clientKey);
    if (known) return known;
    const lists = { small: new LinkedList<Body>(), large: new LinkedList<Body>() };
    const sender: Sender = { clientKey, ...lists, blocks: 0, previous: undefined, next: undefined };
    if (clientKey !== undefined) this.#senders.set(clientKey, sender);
    return sender;
  }

  /** As {@link MemoryReservation.resize}. */
  resize(body: Body, size: number): void {
    const { large } = body.sender;
    if (!body.list) return;
    if (size > SMALL_BYTES && body.list !== large) {
      body.list.remove(body);
      body.list = large;
      large.add(body);
    }
    this.#setBlocks(body, Math.ceil(size / BLOCK_BYTES));
    while (this.#blockCount > this.#maxBlocks) this.#evict();
  }

  #evict(): void {
    const sender = this.#bySize.get(this.#largest)?.first;
    const body = sender?.large.first ?? sender?.small.first;
    if (!body) return;
    const bytes = body.currentBytes?.();
    const blocks = bytes === undefined ? body.blocks : Math.ceil(bytes / BLOCK_BYTES);
    if (blocks < body.blocks) {
      this.#setBlocks(body, blocks);
      return;
    }
    this.release(body);
    body.onEvicted();
  }

  /** As {@link MemoryReservation.release}. */
  release(body: Body): void {
    if (!body.list) return;
    this.#setBlocks(body, 0);
    body.list.remove(body);
    body.list = undefined;
    const { clientKey, small, large } = body.sender;
    if (clientKey !== undefined && !small.first && !large.first) this.#senders.delete(clientKey);
  }

  #setBlocks(body: Body, blocks: number): void {
    const { sender } = body;
    const before = sender.blocks;
    const more = blocks - body.blocks;
    if (more === 0) return;
    body.blocks = blocks;
    sender.blocks += more;
    this.#blockCount += more;
    if (before > 0) this.#ofSize(before).remove(sender);
    if (sender.blocks > 0) this.#ofSize(sender.blocks).add(sender);
    if (sender.blocks > this.#largest) this.#largest = sender.blocks;
    else while (this.#largest > 0 && !this.#bySize.get(this.#largest)?.first) this.#largest--;
  }

  #ofSize(blocks: number): LinkedList<Sender> {
    const known = this.#bySize.get(blocks);
    if (known) return known;
    const list = new LinkedList<Sender>();
    this.#bySize.set(blocks, list);
    return list;
  }
}

/** Its functions are methods: functions in properties would keep the body from V8's collector of young objects. */
class Reservation implements MemoryReservation {
  readonly #memory: BodyMemoryLimit;
  readonly #body: Body;

  constructor(memory: BodyMemoryLimit, body: Body) {
    this.#memory = memory;
    this.#body = body;
  }

  resize(bytes: number): void {
    this.#memory.resize(this.#body, bytes);
  }

  release(): void {
    this.#memory.release(this.#body);
  }
}
