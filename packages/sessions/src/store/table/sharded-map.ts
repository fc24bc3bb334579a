const SHARDS = 256;

/**
 * A map of many entries in shards. A `Map` copies all entries when it grows: at a million that stops the process for a
 * third of a second, in shards for a millisecond.
 */
export class ShardedMap<Key extends string | number, Value> {
  readonly #shards: readonly Map<Key, Value>[] = Array.from({ length: SHARDS }, () => new Map<Key, Value>());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: Key): Value | undefined {
    return this.#shardOf(key).get(key);
  }

  has(key: Key): boolean {
    return this.#shardOf(key).has(key);
  }

  set(key: Key, value: Value): void {
    const shard = this.#shardOf(key);
    const before = shard.size;
    shard.set(key, value);
    this.#size += shard.size - before;
  }

  delete(key: Key): void {
    if (this.#shardOf(key).delete(key)) this.#size--;
  }

  #shardOf(key: Key): Map<Key, Value> {
    const number = typeof key === 'number' ? key : hashOf(key);
    // The index is below the number of shards.
    return this.#shards[number & (SHARDS - 1)] as Map<Key, Value>;
  }
}

/** FNV-1a. Keys that one user chooses fill one shard at most, which is a `Map` as before. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 8;
}
