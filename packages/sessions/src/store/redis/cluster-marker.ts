import { SessionError } from '../../errors.js';
import type { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { type KeyRing, keyIdOf } from '../../vault/key-ring.js';
import { secretCopy, wipe } from '../../vault/memory.js';
import type { RandomSource } from '../../vault/random.js';
import type { Engine } from './engine.js';
import { bytesIn } from './replies.js';
import type { Script } from './script.js';

/** The secret of a cluster, which only its master keys open. */
const PLACE = { kind: 'cluster', name: 'root 1' };

/** Keeps a value unless there is one. Argument: the value. Answers the one that is kept. */
const keepMarker: Script = {
  name: 'keep-marker',
  lua: `
redis.call('SET', P .. 'cluster', ARGV[2], 'NX')
return redis.call('GET', P .. 'cluster')
`,
};

/** Replaces a value that is unchanged. Arguments: the value before, the value after. */
const replaceMarker: Script = {
  name: 'replace-marker',
  lua: `
if redis.call('GET', P .. 'cluster') == ARGV[2] then redis.call('SET', P .. 'cluster', ARGV[3]) end
return 1
`,
};

export interface ClusterMarkerOptions {
  readonly ring: KeyRing;
  readonly keys: KeyHierarchy;
  readonly random: RandomSource;
}

/**
 * The secret that all nodes derive their keys from: 32 random bytes of the first node, in the engine under the master
 * key only. It stays when the master key changes, so that references and sealed tokens do.
 */
export class ClusterMarker {
  readonly #options: ClusterMarkerOptions;
  #known: Buffer | undefined;

  constructor(options: ClusterMarkerOptions) {
    this.#options = options;
  }

  /**
   * Reads the secret, or makes it. If it is another one than before, the engine was emptied meanwhile.
   * @returns the id of the master key that has sealed it
   * @throws SessionError `configuration` if no master key opens it, `store_unavailable`
   */
  async adopt(engine: Engine): Promise<string> {
    const { ring, keys, random } = this.#options;
    const own = this.#known ? secretCopy(this.#known) : random(32);
    const kept = bytesIn(await engine.run(keepMarker, [ring.seal(own, PLACE)]));
    const root = this.#open(kept);
    if (this.#known && root.equals(this.#known)) wipe(root);
    else {
      if (this.#known) wipe(this.#known);
      this.#known = secretCopy(root);
      keys.adopt(root);
    }
    return keyIdOf(kept);
  }

  /** Seals the secret under the newest master key. @throws SessionError `store_unavailable` */
  async reseal(engine: Engine): Promise<void> {
    const { ring } = this.#options;
    const kept = await engine.read('GET', 'cluster');
    if (!Buffer.isBuffer(kept) || ring.isNewest(kept)) return;
    await engine.run(replaceMarker, [kept, ring.reseal(kept, PLACE)]);
  }

  /** Overwrites the secret. */
  wipe(): void {
    if (this.#known) wipe(this.#known);
  }

  #open(sealed: Buffer): Buffer {
    const { ring } = this.#options;
    try {
      return ring.open(sealed, PLACE);
    } catch (cause) {
      const id = keyIdOf(sealed);
      const has = ring.ids.includes(id) ? 'a different key with this id' : ring.ids.map(quoted).join(', ');
      throw new SessionError(
        'configuration',
        `The engine belongs to other master keys: none of \`keys\` opens its marker. Use the keys of the other nodes, or another \`namespace\`. The marker is sealed under the key \`${id}\`; \`keys\` has ${has}.`,
        { cause },
      );
    }
  }
}

function quoted(id: string): string {
  return `\`${id}\``;
}
