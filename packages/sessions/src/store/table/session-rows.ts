import { ANONYMOUS_OWNER, type SessionRef } from '../../session/ids.js';
import type { AccountRecord, SealedState, SessionKind, SessionRecord } from '../../session/session-record.js';
import type { SealedRecord } from '../../vault/vault.js';
import { Column } from './column.js';
import { type Packable, Packer } from './packed.js';
import type { SealedPlaces } from './sealed-places.js';
import type { Slab } from './slab.js';

type InColumns = 'ref' | 'version' | 'lastRequestAtMs' | 'dueAtMs';
/** What is not packed as it is. */
type Rest = Pick<SessionRecord, InColumns | 'accounts' | 'state'>;

/**
 * The number of unpacked records that are kept, as long as a request takes. They have no secrets. More of them would live
 * so long that V8 moves them to the old generation.
 */
const MAX_RECENT = 64;

/** What is packed: the state, the accounts, the other fields. The first item of a state or account is its place. */
type Packed = readonly [
  state: readonly [place: number, version: number] | undefined,
  accounts: readonly PackedAccount[],
  ...fields: Packable[],
];
type PackedAccount = readonly [place: number | undefined, ...fields: Packable[]];

/**
 * A record, from its packed fields, first those that most sessions have. The fields are packed in this order. V8 makes a
 * literal several times as fast as an object that is copied, or gets its properties by name.
 */
function recordOf(
  packed: readonly Packable[],
  { accounts, state, ref, version, lastRequestAtMs, dueAtMs }: Rest,
): SessionRecord {
  const record: Readonly<Record<keyof SessionRecord, unknown>> = {
    kind: packed[2],
    owner: packed[3],
    createdAtMs: packed[4],
    epoch: packed[5],
    generation: packed[6],
    quotaKey: packed[7],
    signedInAtMs: packed[8],
    signedOut: packed[9],
    subjectKey: packed[10],
    session: packed[11],
    formerSubjects: packed[12],
    isExpiryAnnounced: packed[13],
    accounts,
    state,
    ref,
    version,
    lastRequestAtMs,
    dueAtMs,
  };
  // It was packed from a record.
  return record as SessionRecord;
}

function accountOf(packed: readonly Packable[], sealed: SealedRecord | undefined): AccountRecord {
  const account: Readonly<Record<keyof AccountRecord, unknown>> = {
    provider: packed[1],
    state: packed[2],
    generation: packed[3],
    grantId: packed[4],
    subject: packed[5],
    name: packed[6],
    scopes: packed[7],
    hasRefreshToken: packed[8],
    expiresAtMs: packed[9],
    refreshAtMs: packed[10],
    lifetimeMs: packed[11],
    refreshExpiresAtMs: packed[12],
    openIdSubject: packed[13],
    providerSession: packed[14],
    fields: packed[15],
    refusedScopes: packed[16],
    failures: packed[17],
    failureReason: packed[18],
    claim: packed[19],
    apiOrigin: packed[20],
    stepUp: packed[21],
    refusal: packed[22],
    answeredClaims: packed[23],
    tokenRejected: packed[24],
    isExpiryAnnounced: packed[25],
    sealed,
  };
  // It was packed from an account.
  return account as AccountRecord;
}

const KINDS: readonly SessionKind[] = [
  'connection',
  'handle',
  'pending-handle',
  'owner-session',
  'owned-connection',
];
const KNOWN_TEXTS = [...KINDS, ANONYMOUS_OWNER, 'authenticated', 'reauthentication_required', 'openid'];

const REST = ['accounts', 'state', 'ref', 'version', 'lastRequestAtMs', 'dueAtMs'];
// Nothing is read of what is not packed.
const SESSION_FIELDS = fieldsOf(recordOf([], {} as Rest), REST);
const ACCOUNT_FIELDS = fieldsOf(accountOf([], undefined), ['sealed']);

/** What was unpacked of a row. */
interface Recent extends Pick<SessionRecord, 'accounts' | 'state'> {
  /** The number of its allocation: packed bytes never change. */
  readonly stamp: number;
  readonly packed: Packed;
}

/**
 * The records of sessions by row: in columns what a request changes, sealed records in places of a slab, and the rest
 * packed in another place. A record is made when it is read.
 */
export class SessionRows {
  readonly version: Column = Column.float64();
  readonly lastRequestAtMs: Column = Column.float64();
  readonly dueAtMs: Column = Column.float64();
  readonly #slab: Slab;
  readonly #seals: SealedPlaces;
  readonly #packer = new Packer(KNOWN_TEXTS);
  readonly #refs: (SessionRef | undefined)[] = [];
  readonly #recent: Recent[] = [];
  /** The place of what is packed. */
  readonly #packedAt = Column.float64();

  constructor(slab: Slab, seals: SealedPlaces) {
    this.#slab = slab;
    this.#seals = seals;
  }

  refOf(row: number): SessionRef {
    const ref = this.#refs[row];
    if (ref === undefined) throw new RangeError('This row is free.');
    return ref;
  }

  /** The references of all rows. */
  refs(): readonly SessionRef[] {
    return this.#refs.filter((ref) => ref !== undefined);
  }

  /** Sets all fields of a row. Its sealed records are taken over: read the record again to open them. */
  write(row: number, record: SessionRecord): void {
    const before = this.#placesOf(row);
    const after = new Set<number>();
    const placeOf = (sealed: SealedRecord): number => {
      const kept = this.#seals.placeOf(sealed);
      const place = kept !== undefined && before.includes(kept) ? kept : this.#seals.take(sealed);
      after.add(place);
      return place;
    };
    const { state, accounts } = record;
    const packed: Packed = [
      state && [placeOf(state.sealed), state.version],
      Object.values(accounts).map((account) => [
        account.sealed && placeOf(account.sealed),
        ...valuesOf(account, ACCOUNT_FIELDS),
      ]),
      ...valuesOf(record, SESSION_FIELDS),
    ];
    this.#pack(row, packed);
    for (const place of before) if (!after.has(place)) this.#seals.drop(place);
    this.#refs[row] = record.ref;
    this.version.set(row, record.version);
    this.lastRequestAtMs.set(row, record.lastRequestAtMs);
    this.dueAtMs.set(row, record.dueAtMs);
  }

  read(row: number): SessionRecord {
    const { packed, accounts, state } = this.#unpackedOf(row);
    return recordOf(packed, {
      accounts,
      state,
      ref: this.refOf(row),
      version: this.version.get(row),
      lastRequestAtMs: this.lastRequestAtMs.get(row),
      dueAtMs: this.dueAtMs.get(row),
    });
  }

  /** Frees a row. Its sealed records can be opened for some seconds more. */
  clear(row: number): void {
    for (const place of this.#placesOf(row)) this.#seals.drop(place);
    this.#slab.free(this.#packedAt.get(row));
    this.#packedAt.set(row, 0);
    this.#refs[row] = undefined;
  }

  /** What a row has packed. Requests read it several times, so some are kept. */
  #unpackedOf(row: number): Recent {
    const stamp = this.#slab.stampOf(this.#packedAt.get(row));
    const recent = this.#recent[row % MAX_RECENT];
    if (recent?.stamp === stamp) return recent;
    const packed = this.#unpack(row);
    const [state, accounts] = packed;
    const unpacked: Recent = {
      stamp,
      packed,
      accounts: this.#accountsOf(accounts),
      state: state && this.#stateOf(state),
    };
    this.#recent[row % MAX_RECENT] = unpacked;
    return unpacked;
  }

  #pack(row: number, packed: Packed): void {
    const bytes = this.#packer.pack(packed);
    const before = this.#packedAt.get(row);
    const place = this.#slab.allocate(bytes.length);
    this.#slab.at(place).set(bytes);
    this.#packedAt.set(row, place);
    if (before !== 0) this.#slab.free(before);
  }

  #unpack(row: number): Packed {
    // Only `write` packs.
    return this.#packer.unpack(this.#slab.at(this.#packedAt.get(row))) as Packed;
  }

  /** The places of the sealed records of a row. */
  #placesOf(row: number): readonly number[] {
    if (this.#packedAt.get(row) === 0) return [];
    const [state, accounts] = this.#unpack(row);
    const places = [state, ...accounts].map((each) => each?.[0]);
    return places.filter((place) => place !== undefined);
  }

  #stateOf([place, version]: NonNullable<Packed[0]>): SealedState {
    return { version, sealed: this.#seals.at(place) };
  }

  #accountsOf(packed: readonly PackedAccount[]): Readonly<Record<string, AccountRecord>> {
    const [only] = packed;
    // Usually there is one, which takes a fraction of the time.
    if (only && packed.length === 1) {
      const account = this.#accountOf(only);
      return { [account.provider]: account };
    }
    const accounts = packed.map((each) => this.#accountOf(each));
    return Object.fromEntries(accounts.map((account) => [account.provider, account]));
  }

  #accountOf(packed: PackedAccount): AccountRecord {
    const [place] = packed;
    return accountOf(packed, place === undefined ? undefined : this.#seals.at(place));
  }
}

/** The names of fields, in the order in which they are unpacked. */
function fieldsOf<T extends object>(unpacked: T, without: readonly string[]): readonly (keyof T)[] {
  // An object has no other names than those of its type here.
  return Object.keys(unpacked).filter((name) => !without.includes(name)) as (keyof T)[];
}

function valuesOf<T extends object>(from: T, names: readonly (keyof T)[]): Packable[] {
  // Fields are texts, numbers, `true`, and lists and objects of them.
  return names.map((name) => from[name] as Packable);
}
