/** How much may be kept of one kind. */
export interface KeptBytesLimits {
  /** What each holder may keep, whatever the others do. */
  readonly assuredBytes: number;
  /** What a holder may keep at most. */
  readonly maxBytes: number;
  /** What all holders together may keep beyond what each is assured of. */
  readonly sharedBytes: number;
}

/** No client may use up more of what is shared than this part of it. */
const CLIENT_PART = 4;

/** What this node keeps for one holder: a connection, a stream. */
export interface KeptShare {
  /** Keeps so many bytes from now on, if they may be kept. @returns whether they may; if not, it is as before */
  resize(bytes: number): boolean;
  /** Keeps nothing any more. */
  release(): void;
}

/**
 * What clients make this node keep of one kind, in bytes. Each holder has a little of its own; what goes beyond that
 * comes from a room that all share, and of which one client gets a quarter at most.
 */
export class KeptBytes {
  readonly #limits: KeptBytesLimits;
  readonly #ofClient = new Map<string, number>();
  #shared = 0;

  constructor(limits: KeptBytesLimits) {
    this.#limits = limits;
  }

  /** How many of the shared bytes are in use. */
  get sharedBytes(): number {
    return this.#shared;
  }

  /**
   * A share in which nothing is kept yet.
   * @param client the user or address that it counts for; absent for clients on this machine, which may use up all
   */
  open(client: string | undefined): KeptShare {
    let kept = 0;
    const resize = (bytes: number) => {
      const more = this.#beyondAssured(bytes) - this.#beyondAssured(kept);
      if (bytes > this.#limits.maxBytes || (more > 0 && !this.#hasRoomFor(more, client))) return false;
      this.#shared += more;
      if (client !== undefined) this.#count(client, more);
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
    return client === undefined || (this.#ofClient.get(client) ?? 0) + more <= sharedBytes / CLIENT_PART;
  }

  #count(client: string, more: number): void {
    const bytes = (this.#ofClient.get(client) ?? 0) + more;
    if (bytes === 0) this.#ofClient.delete(client);
    else this.#ofClient.set(client, bytes);
  }
}

/** What a string takes up at most: two bytes for each character, and what every string has. */
export function bytesOfText(text: string): number {
  return 2 * text.length + 32;
}

/** What a JSON value takes up, about and rather too much: every element and key counts, however small it is. */
export function bytesOfJson(value: unknown): number {
  if (typeof value === 'string') return bytesOfText(value);
  if (typeof value !== 'object' || value === null) return 16;
  const inner = Array.isArray(value)
    ? value.map(bytesOfJson)
    : Object.entries(value).map(([name, each]) => bytesOfText(name) + bytesOfJson(each));
  return inner.reduce((sum, bytes) => sum + bytes, 48);
}
