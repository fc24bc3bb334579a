import { secretBuffer } from '../../vault/memory.js';

/** The memory that is reserved at once. The system provides it page by page when it is written. */
const CHUNK_BYTES = 256 * 1024;
/** Places of similar sizes share a chunk. */
const STEP_BYTES = 16;
const LARGE_BYTES = 4096;
const LARGE_STEP_BYTES = 1024;
/** Of which a chunk has fewer places. */
const MAX_PLACES = CHUNK_BYTES / STEP_BYTES;
/** A larger place has a chunk of its own. */
const MAX_SHARED_BYTES = CHUNK_BYTES / 8;

/** Memory for places of one size. */
interface Chunk {
  readonly number: number;
  readonly placeBytes: number;
  readonly bytes: Buffer;
  /** The length of what a place holds; of a free place, the next free one. */
  readonly lengths: Uint32Array;
  /** Which allocation a place belongs to; 0: free. */
  readonly stamps: Float64Array;
  /** The first free place; -1: none. */
  free: number;
  used: number;
}

/**
 * Memory outside the V8 heap for byte strings, in chunks with places of one size each, so that a byte string costs no
 * object and no gaps. A place is known by a number above 0. It is zero before and after its use.
 */
export class Slab {
  readonly #chunks: (Chunk | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  /** The chunks with free places, by the size of a place. */
  readonly #open = new Map<number, Set<Chunk>>();
  #stamp = 0;
  /** The chunk that has been empty last. */
  #spare: Chunk | undefined;

  /** The bytes of all chunks. */
  get reservedBytes(): number {
    let bytes = 0;
    for (const chunk of this.#chunks) bytes += chunk?.bytes.length ?? 0;
    return bytes;
  }

  /** Takes a place. @returns its number */
  allocate(length: number): number {
    const placeBytes = placeBytesFor(length);
    const open = this.#open.get(placeBytes) ?? new Set();
    this.#open.set(placeBytes, open);
    const [chunk = this.#grow(placeBytes, open)] = open;
    const index = chunk.free;
    chunk.free = (chunk.lengths[index] ?? 0) - 1;
    chunk.lengths[index] = length;
    chunk.stamps[index] = ++this.#stamp;
    chunk.used++;
    if (chunk.free < 0) open.delete(chunk);
    if (open.size === 0) this.#open.delete(placeBytes);
    return chunk.number * MAX_PLACES + index;
  }

  /** The bytes of a place, with exact bounds. Not to be kept: the place may be freed. */
  at(place: number): Buffer {
    const { bytes, lengths, placeBytes } = this.#chunkOf(place);
    const index = place % MAX_PLACES;
    const start = index * placeBytes;
    return bytes.subarray(start, start + (lengths[index] ?? 0));
  }

  /** Which allocation a place belongs to. No other one has the same number. */
  stampOf(place: number): number {
    return this.#chunks[Math.floor(place / MAX_PLACES)]?.stamps[place % MAX_PLACES] ?? 0;
  }

  /** Overwrites a place with zeros, and gives it back. */
  free(place: number): void {
    this.at(place).fill(0);
    const chunk = this.#chunkOf(place);
    const index = place % MAX_PLACES;
    chunk.lengths[index] = chunk.free + 1;
    chunk.stamps[index] = 0;
    chunk.free = index;
    chunk.used--;
    const open = this.#open.get(chunk.placeBytes) ?? new Set();
    this.#open.set(chunk.placeBytes, open.add(chunk));
    if (chunk.used === 0) this.#emptied(chunk);
  }

  #grow(placeBytes: number, open: Set<Chunk>): Chunk {
    const places = Math.max(1, Math.floor(CHUNK_BYTES / placeBytes));
    const count = placeBytes > MAX_SHARED_BYTES ? 1 : places;
    const chunk: Chunk = {
      number: this.#freeNumbers.pop() ?? Math.max(1, this.#chunks.length),
      placeBytes,
      bytes: secretBuffer(count * placeBytes),
      // Each free place has the next one, plus one; the last has none.
      lengths: Uint32Array.from({ length: count }, (_, index) => (index + 1 < count ? index + 2 : 0)),
      stamps: new Float64Array(count),
      free: 0,
      used: 0,
    };
    this.#chunks[chunk.number] = chunk;
    open.add(chunk);
    return chunk;
  }

  /** Keeps one empty chunk, so that a session that comes and goes does not reserve memory each time. */
  #emptied(chunk: Chunk): void {
    const spare = this.#spare;
    this.#spare = chunk;
    if (spare !== chunk && spare?.used === 0) this.#release(spare);
  }

  #release(chunk: Chunk): void {
    const open = this.#open.get(chunk.placeBytes);
    open?.delete(chunk);
    if (open?.size === 0) this.#open.delete(chunk.placeBytes);
    this.#chunks[chunk.number] = undefined;
    this.#freeNumbers.push(chunk.number);
  }

  #chunkOf(place: number): Chunk {
    const chunk = this.#chunks[Math.floor(place / MAX_PLACES)];
    if (!chunk?.stamps[place % MAX_PLACES]) throw new RangeError('This place of the slab is free.');
    return chunk;
  }
}

function placeBytesFor(length: number): number {
  const step = length <= LARGE_BYTES ? STEP_BYTES : LARGE_STEP_BYTES;
  return Math.max(1, Math.ceil(length / step)) * step;
}
