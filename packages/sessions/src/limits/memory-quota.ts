import { Counter } from './counter.js';

/** The limits for one kind of data. */
export interface MemoryQuotaLimits {
  /** Bytes that each share may always use. */
  readonly guaranteedBytes: number;
  /** The maximum number of bytes of one share. */
  readonly maxBytes: number;
  /** The maximum number of bytes that all shares together may use beyond their guaranteed bytes. */
  readonly sharedBytes: number;
}

/** One client may use at most a quarter of the shared bytes. */
const CLIENT_FRACTION = 4;

/** The bytes that one connection or stream uses. */
export interface QuotaShare {
  /**
   * Changes the number of bytes.
   * @returns `false` if a limit does not allow it; nothing has changed then
   */
  resize(bytes: number): boolean;
  /** Sets the number of bytes to 0. */
  release(): void;
}

/**
 * Limits the bytes that this node keeps for clients, for one kind of data. Each connection or stream has guaranteed
 * bytes of its own. The bytes beyond those are shared, and one client may use at most a quarter of the shared bytes.
 */
export class MemoryQuota {
  readonly #limits: MemoryQuotaLimits;
  readonly #sharedByClient = new Counter<string>();
  #shared = 0;

  constructor(limits: MemoryQuotaLimits) {
    this.#limits = limits;
  }

  /** The number of shared bytes that are in use. */
  get sharedBytes(): number {
    return this.#shared;
  }

  /**
   * Opens a share with 0 bytes.
   * @param client the user or address that the share counts for; absent for clients on this machine, which may use all
   * shared bytes
   */
  open(client: string | undefined): QuotaShare {
    return new Share(this, client);
  }

  /** Changes the bytes of a share of a client. @returns whether the limits allow it */
  change(client: string | undefined, from: number, to: number): boolean {
    const more = this.#beyondGuaranteed(to) - this.#beyondGuaranteed(from);
    if (to > this.#limits.maxBytes || (more > 0 && !this.#allows(more, client))) return false;
    this.#shared += more;
    if (client !== undefined) this.#sharedByClient.add(client, more);
    return true;
  }

  #beyondGuaranteed(bytes: number): number {
    return Math.max(0, bytes - this.#limits.guaranteedBytes);
  }

  #allows(more: number, client: string | undefined): boolean {
    const { sharedBytes } = this.#limits;
    if (this.#shared + more > sharedBytes) return false;
    return client === undefined || this.#sharedByClient.get(client) + more <= sharedBytes / CLIENT_FRACTION;
  }
}

class Share implements QuotaShare {
  readonly #quota: MemoryQuota;
  readonly #client: string | undefined;
  #used = 0;

  constructor(quota: MemoryQuota, client: string | undefined) {
    this.#quota = quota;
    this.#client = client;
  }

  resize(bytes: number): boolean {
    if (!this.#quota.change(this.#client, this.#used, bytes)) return false;
    this.#used = bytes;
    return true;
  }

  release(): void {
    this.resize(0);
  }
}

/** The maximum size of a string in memory: two bytes for each character, and a constant overhead. */
export function bytesOfText(text: string): number {
  return 2 * text.length + 32;
}

/** Estimates the size of a JSON value in memory, and never too low: each element and key counts. */
export function bytesOfJson(value: unknown): number {
  if (typeof value === 'string') return bytesOfText(value);
  if (typeof value !== 'object' || value === null) return 16;
  let bytes = 48;
  if (Array.isArray(value)) for (const each of value) bytes += bytesOfJson(each);
  else for (const [name, each] of Object.entries(value)) bytes += bytesOfText(name) + bytesOfJson(each);
  return bytes;
}
