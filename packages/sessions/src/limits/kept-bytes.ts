import { Counter } from './counter.js';

/** The limits for one kind of data. */
export interface KeptBytesLimits {
  /** Bytes that each holder may always keep. */
  readonly assuredBytes: number;
  /** The maximum number of bytes of one holder. */
  readonly maxBytes: number;
  /** The maximum number of bytes that all quota keys together may keep beyond their assured bytes. */
  readonly sharedBytes: number;
}

/** One client may use at most a quarter of the shared bytes. */
const CLIENT_PART = 4;

/** The bytes that this node keeps for one holder: a connection or a stream. */
export interface KeptShare {
  /**
   * Changes the number of kept bytes.
   * @returns `false` if a limit does not allow it; nothing has changed then
   */
  resize(bytes: number): boolean;
  /** Sets the number of kept bytes to 0. */
  release(): void;
}

/**
 * Limits the bytes that this node keeps for clients, for one kind of data. Each holder has assured bytes of its own.
 * All quota keys share the bytes beyond those, and one client may use at most a quarter of the shared bytes.
 */
export class KeptBytes {
  readonly #limits: KeptBytesLimits;
  readonly #ofClient = new Counter<string>();
  #shared = 0;

  constructor(limits: KeptBytesLimits) {
    this.#limits = limits;
  }

  /** How many of the shared bytes are in use. */
  get sharedBytes(): number {
    return this.#shared;
  }

  /**
   * Opens a share with 0 bytes.
   * @param client the user or address that the share counts for; absent for clients on this machine, which may use all
   * shared bytes
   */
  open(client: string | undefined): KeptShare {
    let kept = 0;
    const resize = (bytes: number) => {
      const more = this.#beyondAssured(bytes) - this.#beyondAssured(kept);
      if (bytes > this.#limits.maxBytes || (more > 0 && !this.#hasRoomFor(more, client))) return false;
      this.#shared += more;
      if (client !== undefined) this.#ofClient.add(client, more);
      kept = bytes;
      return true;
    };
    return { resize, release: () => void resize(0) };
  }

  #beyondAssured(bytes: number): number {
    return Math.max(0, bytes - this.#limits.assuredBytes);
  }

  #hasRoomFor(more: number, client: string | undefined): boolean {
    const { sharedBytes } = this.#limits;
    if (this.#shared + more > sharedBytes) return false;
    return client === undefined || this.#ofClient.get(client) + more <= sharedBytes / CLIENT_PART;
  }
}

/** The maximum size of a string in memory: two bytes for each character, and a constant overhead. */
export function bytesOfText(text: string): number {
  return 2 * text.length + 32;
}

/** An estimate of a JSON value's size in memory, rather too large: every element and key counts. */
export function bytesOfJson(value: unknown): number {
  if (typeof value === 'string') return bytesOfText(value);
  if (typeof value !== 'object' || value === null) return 16;
  let bytes = 48;
  if (Array.isArray(value)) for (const each of value) bytes += bytesOfJson(each);
  else for (const [name, each] of Object.entries(value)) bytes += bytesOfText(name) + bytesOfJson(each);
  return bytes;
}
