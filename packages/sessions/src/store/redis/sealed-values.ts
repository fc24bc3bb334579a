import { storeUnavailable } from '../../errors.js';
import type { KeyHierarchy } from '../../vault/key-hierarchy.js';
import type { KeyRing } from '../../vault/key-ring.js';
import { secretBytes, wipe } from '../../vault/memory.js';
import { recordOf, textOf } from './wire.js';

/** The kind of a sealed record. One that is moved to the place of another kind does not open. */
export type SealedKind = 'session' | 'attempt' | 'failed-attempt' | 'message';

/** The records and names of an engine, which reveal nothing there: records are sealed, names are HMACs. */
export class SealedValues {
  readonly #ring: KeyRing;
  readonly #keys: KeyHierarchy;

  /**
   * @param ring seals records
   * @param keys of all nodes, for the names
   */
  constructor(ring: KeyRing, keys: KeyHierarchy) {
    this.#ring = ring;
    this.#keys = keys;
  }

  /** @throws SessionError `store_unavailable` while the keys of the cluster are not known */
  nameOf(kind: string, ...fields: readonly string[]): string {
    return this.#keys.mac('engine-name', kind, ...fields).toString('base64url');
  }

  seal(kind: SealedKind, name: string, record: object): Buffer {
    return this.#ring.seal(secretBytes(textOf(record)), { kind, name });
  }

  /** @throws SessionError `store_unavailable` if it does not open: what the record says is not known */
  open(kind: SealedKind, name: string, sealed: Buffer): unknown {
    let plaintext: Buffer | undefined;
    try {
      plaintext = this.#ring.open(sealed, { kind, name });
      return recordOf(plaintext.toString());
    } catch (error) {
      throw storeUnavailable(error);
    } finally {
      if (plaintext) wipe(plaintext);
    }
  }
}
