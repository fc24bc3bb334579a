import { SessionError } from '../errors.js';
import { KeyHierarchy } from './key-hierarchy.js';
import { secretBuffer, secretBytes } from './memory.js';
import type { RandomSource } from './random.js';
import { Vault } from './vault.js';

/** A master key with its id, which stands in what it has sealed. */
export interface MasterKey {
  /** At most 255 bytes. */
  readonly id: string;
  /** 32 random bytes; wiped by the key ring. */
  readonly bytes: Buffer;
}

/** The place that a sealed value belongs to. It opens in no other place. */
export interface SealedPlace {
  readonly kind: string;
  readonly name: string;
}

const SALT_BYTES = 32;
/** A record has several token sets, of 64 KiB at most each, and a state. */
const MAX_VALUE_BYTES = 1024 * 1024;

/**
 * Seals values under the newest of several master keys, and opens those that any of them has sealed. A sealed value is
 * length of the key id ‖ key id ‖ salt ‖ what `Vault` returns.
 */
export class KeyRing {
  /** The ids of the keys, that of the newest first. */
  readonly ids: readonly [string, ...string[]];
  readonly #hierarchies: readonly KeyHierarchy[];
  readonly #newestId: Buffer;
  readonly #newest: Vault;
  readonly #byId: ReadonlyMap<string, Vault>;

  /** @param keys the newest first */
  constructor(keys: readonly [MasterKey, ...MasterKey[]], random: RandomSource) {
    const vaults = keys.map(({ id, bytes }) => {
      const hierarchy = new KeyHierarchy(bytes);
      return { id, hierarchy, vault: new Vault(hierarchy, random, 'records', MAX_VALUE_BYTES) };
    });
    this.ids = [keys[0].id, ...keys.slice(1).map(({ id }) => id)];
    this.#hierarchies = vaults.map(({ hierarchy }) => hierarchy);
    this.#byId = new Map(vaults.map(({ id, vault }) => [id, vault]));
    this.#newestId = secretBytes(keys[0].id);
    this.#newest = this.#vaultOf(keys[0].id);
  }

  /** Seals a plaintext and wipes it. @throws RangeError if it is larger than 1 MiB */
  seal(plaintext: Buffer, place: SealedPlace): Buffer {
    const { salt, bytes } = this.#newest.seal(plaintext, contextOf(place));
    const id = this.#newestId;
    const sealed = secretBuffer(1 + id.length + salt.length + bytes.length);
    sealed[0] = id.length;
    sealed.set(id, 1);
    sealed.set(salt, 1 + id.length);
    sealed.set(bytes, 1 + id.length + salt.length);
    return sealed;
  }

  /**
   * Opens a sealed value. The caller wipes the plaintext.
   * @throws SessionError `sealed_record_invalid` if the value or its place has changed, or its key is not in the ring
   */
  open(sealed: Buffer, place: SealedPlace): Buffer {
    const saltAt = 1 + (sealed[0] ?? 0);
    const bytesAt = saltAt + SALT_BYTES;
    const vault = this.#vaultOf(keyIdOf(sealed));
    const record = { salt: sealed.subarray(saltAt, bytesAt), bytes: sealed.subarray(bytesAt) };
    return vault.open(record, contextOf(place));
  }

  /** Seals a value again under the newest key. @throws as `open` */
  reseal(sealed: Buffer, place: SealedPlace): Buffer {
    return this.seal(this.open(sealed, place), place);
  }

  /** Whether the newest key has sealed a value. */
  isNewest(sealed: Buffer): boolean {
    return sealed.subarray(1, 1 + (sealed[0] ?? 0)).equals(this.#newestId);
  }

  /** What each value begins with that the newest key has sealed, and no other value. */
  get newestHeader(): Buffer {
    const header = secretBuffer(1 + this.#newestId.length);
    header[0] = this.#newestId.length;
    header.set(this.#newestId, 1);
    return header;
  }

  /** Destroys all keys. */
  wipe(): void {
    for (const hierarchy of this.#hierarchies) hierarchy.wipe();
  }

  #vaultOf(id: string): Vault {
    const vault = this.#byId.get(id);
    if (vault) return vault;
    throw new SessionError(
      'sealed_record_invalid',
      `A value is sealed under the master key \`${id}\`, which is not among the master keys (${this.ids.map((each) => `\`${each}\``).join(', ')}). Add the key that the other nodes use.`,
    );
  }
}

/** The id of the key that has sealed a value. */
export function keyIdOf(sealed: Buffer): string {
  return sealed.toString('utf8', 1, 1 + (sealed[0] ?? 0));
}

/** What no other value begins with: key id and salt, which is random. */
export function headOf(sealed: Buffer): Buffer {
  return sealed.subarray(0, 1 + (sealed[0] ?? 0) + SALT_BYTES);
}

function contextOf({ kind, name }: SealedPlace) {
  return { sessionRef: name, owner: kind, provider: '', generation: 0 };
}
