import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** The positions of each needle, by its index. */
export type Findings = ReadonlyMap<number, readonly number[]>;

const WINDOW_BYTES = 16 * 1024 * 1024;
/** The length of the prefix by which needles are indexed. */
const KEY_BYTES = 4;

/** Searches for many byte strings in one pass. */
export class Needles {
  readonly #needles: readonly Buffer[];
  readonly #byKey = new Map<number, number[]>();
  /** The first two bytes of all needles. */
  readonly #beginnings = new Uint8Array(2 ** 16);
  /** The search window, with room for a needle that crosses its end. */
  readonly #window: Buffer;

  /** @param needles each of at least four bytes */
  constructor(needles: readonly Buffer[]) {
    this.#needles = needles;
    const longest = Math.max(KEY_BYTES, ...needles.map((needle) => needle.length));
    this.#window = Buffer.from(new ArrayBuffer(WINDOW_BYTES + longest));
    needles.forEach((needle, index) => {
      const key = needle.readUInt32LE(0);
      this.#byKey.set(key, [...(this.#byKey.get(key) ?? []), index]);
      this.#beginnings[needle.readUInt16LE(0)] = 1;
    });
  }

  /** Searches the bytes from `start` to `end` of an open file. Positions are offsets in the file. */
  searchRange(file: number, start: number, end: number, found: Map<number, number[]>): void {
    for (let position = start; position < end; position += WINDOW_BYTES) {
      const wanted = Math.min(this.#window.length, end - position);
      const bytes = this.#window.subarray(0, readFully(file, this.#window.subarray(0, wanted), position));
      this.#search(bytes, (index, offset) => {
        // The next window begins after this.
        if (offset >= WINDOW_BYTES) return;
        found.set(index, [...(found.get(index) ?? []), position + offset]);
      });
    }
  }

  searchFile(path: string): Findings {
    const found = new Map<number, number[]>();
    const file = openSync(path, 'r');
    try {
      this.searchRange(file, 0, fstatSync(file).size, found);
    } finally {
      closeSync(file);
    }
    return found;
  }

  #search(bytes: Buffer, onFound: (index: number, offset: number) => void): void {
    const beginnings = this.#beginnings;
    const last = bytes.length - KEY_BYTES;
    let pair = (bytes[0] ?? 0) << 8;
    // This loop runs for every byte of the process.
    for (let offset = 0; offset <= last; offset++) {
      pair = (pair >> 8) | ((bytes[offset + 1] ?? 0) << 8);
      if (beginnings[pair] === 0) continue;
      for (const index of this.#byKey.get(bytes.readUInt32LE(offset)) ?? []) {
        const needle = this.#needles[index];
        if (needle?.equals(bytes.subarray(offset, offset + needle.length))) onFound(index, offset);
      }
    }
  }
}

/** Reads until `target` is full or the file ends. @returns the number of bytes */
export function readFully(file: number, target: Buffer, position: number): number {
  let filled = 0;
  while (filled < target.length) {
    const count = readSync(file, target, filled, target.length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
