import type { Clock } from '../time/clock.js';

export interface ExpiringMapOptions<Value> {
  readonly clock: Clock;
  readonly maxEntries: number;
  /** How long an entry is kept after it was set. */
  readonly ttlMs: number;
  /** Called with each value that is deleted because it has expired, or because it is the oldest of a full map. */
  readonly onEvicted?: (value: Value) => void;
}

interface Entry<Value> {
  readonly value: Value;
  readonly untilMs: number;
}

/**
 * A map with a maximum number of entries, each of which expires. Setting an entry makes it the newest one, and deletes
 * the oldest ones: those that have expired, and those above the maximum.
 */
export class ExpiringMap<Key, Value> {
  readonly #options: ExpiringMapOptions<Value>;
  /** The oldest first. */
  readonly #entries = new Map<Key, Entry<Value>>();

  constructor(options: ExpiringMapOptions<Value>) {
    this.#options = options;
  }

  /** The number of entries, including expired ones that are not deleted yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value of a key; `undefined` if it has none or its entry has expired. */
  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.untilMs > this.#options.clock.now() ? entry.value : undefined;
  }

  /** @param untilMs when the entry expires. Default: after `ttlMs` */
  set(key: Key, value: Value, untilMs: number = this.#options.clock.now() + this.#options.ttlMs): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, untilMs });
    this.#evict();
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  #evict(): void {
    const { clock, maxEntries, onEvicted } = this.#options;
    const now = clock.now();
    for (const [oldest, { value, untilMs }] of this.#entries) {
      if (this.#entries.size <= maxEntries && untilMs > now) return;
      this.#entries.delete(oldest);
      onEvicted?.(value);
    }
  }
}
