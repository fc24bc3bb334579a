import { closeSync, openSync, readFileSync } from 'node:fs';
import { type Findings, type Needles, readFully } from './needles.js';

/** Mappings of the kernel, which are not memory of the process. */
const KERNEL_PAGES = /\[(vvar|vvar_vclock|vsyscall)\]$/;
const STOPPED = /^State:\s+T/m;

/** The memory of a stopped process. */
export class ProcessMemory {
  readonly #pid: number;
  readonly #file: number;

  private constructor(pid: number, file: number) {
    this.#pid = pid;
    this.#file = file;
  }

  /** Stops another process while `look` reads its memory. Requires the permission to trace it. */
  static async inspect<Result>(pid: number, look: (memory: ProcessMemory) => Result): Promise<Result> {
    process.kill(pid, 'SIGSTOP');
    const file = openSync(`/proc/${pid}/mem`, 'r');
    try {
      while (!STOPPED.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return look(new ProcessMemory(pid, file));
    } finally {
      closeSync(file);
      process.kill(pid, 'SIGCONT');
    }
  }

  /** Searches all memory that the process can read. Positions are addresses. */
  search(needles: Needles): Findings {
    const found = new Map<number, number[]>();
    for (const { start, end } of this.#readableMappings()) needles.searchRange(this.#file, start, end, found);
    return found;
  }

  /** The bytes at an address; fewer at the end of a mapping. */
  read(address: number, size: number): Buffer {
    const mapping = this.#readableMappings().find(({ start, end }) => start <= address && address < end);
    const bytes = Buffer.alloc(Math.min(size, (mapping?.end ?? address) - address));
    return bytes.subarray(0, readFully(this.#file, bytes, address));
  }

  #readableMappings(): { start: number; end: number }[] {
    const mappings: { start: number; end: number }[] = [];
    for (const line of readFileSync(`/proc/${this.#pid}/maps`, 'utf8').split('\n')) {
      const range = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line);
      if (!range?.[1] || !range[2] || KERNEL_PAGES.test(line)) continue;
      mappings.push({ start: Number.parseInt(range[1], 16), end: Number.parseInt(range[2], 16) });
    }
    return mappings;
  }
}
