import {
  ANONYMOUS_OWNER,
  parseSessionId,
  type SessionRef,
  sessionRefOf,
} from '../../packages/sessions/src/session/ids.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { decodeTokenSet } from '../../packages/sessions/src/vault/token-set.js';
import { type SealContext, Vault } from '../../packages/sessions/src/vault/vault.js';
import { CONTROL_PURPOSE, PROVIDER } from './names.js';

const MASTER_KEY_BYTES = 32;
const SALT_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const LENGTH_BYTES = 4;
/** One of the checks of its authorization request, then one of its tokens. */
const SEALS_OF_A_LOGIN = 2;

/** The sealed tokens of a session, with the key to open them. */
interface Seal {
  readonly key: Buffer;
  readonly salt: Buffer;
  readonly iv: Buffer;
  readonly context: SealContext;
}

/** Computes the keys of a server from its random numbers. */
export class Seals {
  readonly all: readonly Seal[];
  readonly #vault: Vault;

  /**
   * @param draws all random numbers of the server
   * @param ids the sessions, in the order of their logins
   */
  constructor(draws: readonly Buffer[], ids: readonly string[]) {
    const [master] = draws;
    if (master?.length !== MASTER_KEY_BYTES) throw new Error('The first draw is not the master key.');
    const keys = new KeyHierarchy(Buffer.from(master));
    // Opening needs no random numbers.
    this.#vault = new Vault(keys, () => Buffer.alloc(0));
    const refs = ids.map((id) => refOf(keys, id));
    const pairs = saltsAndIvs(draws);
    if (pairs.length !== SEALS_OF_A_LOGIN * refs.length) {
      throw new Error(
        `${pairs.length} seals were made for ${refs.length} logins: they cannot be told apart.`,
      );
    }
    const ofTokens = pairs.filter((_pair, index) => index % SEALS_OF_A_LOGIN === SEALS_OF_A_LOGIN - 1);
    this.all = ofTokens.map(([salt, iv], index) => {
      const sessionRef = refs[index] ?? '';
      const context = { sessionRef, owner: ANONYMOUS_OWNER, provider: PROVIDER, generation: 1 };
      const key = keys.derive('tokens', sessionRef, context.provider, context.generation, salt);
      return { key, salt, iv, context };
    });
  }

  /** The offset of a record's IV, and the size of a record with tokens of this length, in bytes. */
  static readonly bytesBeforeIv = 1;
  static recordBytes(tokenBytes: number): number {
    return Seals.bytesBeforeIv + IV_BYTES + LENGTH_BYTES + tokenBytes + TAG_BYTES;
  }

  /** The tokens in a record; `undefined` if it is not the record with this number. */
  open(number: number, bytes: Buffer): string[] | undefined {
    const seal = this.all[number];
    if (!seal) return undefined;
    const { salt, context } = seal;
    try {
      const { accessToken, refreshToken } = decodeTokenSet(this.#vault.open({ salt, bytes }, context));
      return [accessToken.reveal(), ...(refreshToken ? [refreshToken.reveal()] : [])];
    } catch {
      return undefined;
    }
  }
}

/** The unwiped keys that a server derived from this seed. */
export function controlKeys(masterKey: Buffer, count: number): Buffer[] {
  const hierarchy = new KeyHierarchy(masterKey);
  return Array.from({ length: count }, (_, index) => hierarchy.derive('tokens', CONTROL_PURPOSE, index));
}

function refOf(keys: KeyHierarchy, value: string): SessionRef {
  const id = parseSessionId(value);
  if (!id) throw new Error('A session has an id that cannot be one.');
  return sessionRefOf(keys, 'connection', id);
}

/** Only sealing draws a salt and then an IV. */
function saltsAndIvs(draws: readonly Buffer[]): [Buffer, Buffer][] {
  return draws.flatMap((salt, index): [Buffer, Buffer][] => {
    const iv = draws[index + 1];
    return salt.length === SALT_BYTES && iv?.length === IV_BYTES ? [[salt, iv]] : [];
  });
}
