import { textHash } from './text-hash.js';

const SHARDS = 256;

/**
 * A map of many entries in shards. A `Map` copies all entries when it grows: at a million that stops the process for a
 * third of a second, in shards for a millisecond.
 */
export class ShardedMap<Key extends string | number, Value> {
  readonly #shards: readonly Map<Key, Value>[] = Array.from({ length: SHARDS }, () => new Map<Key, Value>());

  get(key: Key): Value | undefined {
    return this.#shardOf(key).get(key);
  }

  set(key: Key, value: Value): void {
    this.#shardOf(key).set(key, value);
  }

  delete(key: Key): void {
    this.#shardOf(key).delete(key);
  }

  #shardOf(key: Key): Map<Key, Value> {
    // Texts that one user chooses fill one shard at most, which is a `Map` as before.
    const number = typeof key === 'number' ? key : textHash(key) >>> 8;
    // The index is below the number of shards.
    return this.#shards[number & (SHARDS - 1)] as Map<Key, Value>;
  }
}
