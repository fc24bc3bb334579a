import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Where each needle was found, by its index. */
export type Findings = ReadonlyMap<number, readonly number[]>;

const WINDOW_BYTES = 16 * 1024 * 1024;
/** Needles are told apart by this many bytes before they are compared in full. */
const KEY_BYTES = 4;

/** Looks for many byte strings in one pass. */
export class Needles {
  readonly #needles: readonly Buffer[];
  readonly #byKey = new Map<number, number[]>();
  /** Which pairs of bytes any needle begins with. */
  readonly #beginnings = new Uint8Array(2 ** 16);
  /** What is looked through at a time, and as much more as a needle may reach beyond it. */
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

  /** Looks through the bytes from `start` to `end` of an open file. Positions count from its beginning. */
  searchRange(file: number, start: number, end: number, found: Map<number, number[]>): void {
    for (let position = start; position < end; position += WINDOW_BYTES) {
      const wanted = Math.min(this.#window.length, end - position);
      const bytes = this.#window.subarray(0, readFully(file, this.#window.subarray(0, wanted), position));
      this.#search(bytes, (index, offset) => {
        // Beyond lies what the next window begins with.
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
    // This runs for every byte of a process.
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

/** Reads until `target` is full or the file is at its end. @returns how many bytes it read. */
export function readFully(file: number, target: Buffer, position: number): number {
  let filled = 0;
  while (filled < target.length) {
    const count = readSync(file, target, filled, target.length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
