import { ANONYMOUS_OWNER, type SessionRef } from '../../session/ids.js';
import type { AccountRecord, SealedState, SessionKind, SessionRecord } from '../../session/session-record.js';
import type { SealedRecord } from '../../vault/vault.js';
import { Column } from './column.js';
import { type Packable, Packer } from './packed.js';
import type { SealedPlaces } from './sealed-places.js';
import type { Slab } from './slab.js';

type InColumns = 'ref' | 'version' | 'lastRequestAtMs' | 'dueAtMs';
type Unpacked = Omit<SessionRecord, InColumns>;

/** The number of unpacked records that are kept. They have no secrets. */
const MAX_RECENT = 512;

/** The packed fields of a session, first those that most sessions have. */
const FIELDS = namesOf<Exclude<keyof SessionRecord, InColumns | 'accounts' | 'state'>>({
  kind: 0,
  owner: 1,
  createdAtMs: 2,
  epoch: 3,
  generation: 4,
  quotaKey: 5,
  signedInAtMs: 6,
  signedOut: 7,
  subjectKey: 8,
  session: 9,
  formerSubjects: 10,
  isExpiryAnnounced: 11,
});

const ACCOUNT_FIELDS = namesOf<Exclude<keyof AccountRecord, 'sealed'>>({
  provider: 0,
  state: 1,
  generation: 2,
  grantId: 3,
  subject: 4,
  name: 5,
  scopes: 6,
  hasRefreshToken: 7,
  expiresAtMs: 8,
  refreshAtMs: 9,
  lifetimeMs: 10,
  refreshExpiresAtMs: 11,
  openIdSubject: 12,
  providerSession: 13,
  fields: 14,
  refusedScopes: 15,
  failures: 16,
  failureReason: 17,
  claim: 18,
  apiOrigin: 19,
  stepUp: 20,
  refusal: 21,
  answeredClaims: 22,
  tokenRejected: 23,
  isExpiryAnnounced: 24,
});

const KINDS: readonly SessionKind[] = [
  'connection',
  'handle',
  'pending-handle',
  'owner-session',
  'owned-connection',
];
const KNOWN_TEXTS = [...KINDS, ANONYMOUS_OWNER, 'authenticated', 'reauthentication_required', 'openid'];

/** What is packed: the state, the accounts, the other fields. The first item of a state or account is its place. */
type Packed = readonly [
  state: readonly [place: number, version: number] | undefined,
  accounts: readonly (readonly [place: number | undefined, ...fields: Packable[]])[],
  ...fields: Packable[],
];

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
  readonly #recent: { readonly stamp: number; readonly unpacked: Unpacked }[] = [];
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
      ...valuesOf(record, FIELDS),
    ];
    this.#pack(row, packed);
    for (const place of before) if (!after.has(place)) this.#seals.drop(place);
    this.#refs[row] = record.ref;
    this.version.set(row, record.version);
    this.lastRequestAtMs.set(row, record.lastRequestAtMs);
    this.dueAtMs.set(row, record.dueAtMs);
  }

  read(row: number): SessionRecord {
    return {
      ...this.#unpackedOf(row),
      ref: this.refOf(row),
      version: this.version.get(row),
      lastRequestAtMs: this.lastRequestAtMs.get(row),
      dueAtMs: this.dueAtMs.get(row),
    };
  }

  /** Frees a row. Its sealed records can be opened for some seconds more. */
  clear(row: number): void {
    for (const place of this.#placesOf(row)) this.#seals.drop(place);
    this.#slab.free(this.#packedAt.get(row));
    this.#packedAt.set(row, 0);
    this.#refs[row] = undefined;
  }

  /** What a row has packed. Requests read it several times, so some are kept. */
  #unpackedOf(row: number): Unpacked {
    // Packed bytes never change, so the number of their allocation tells them from all others.
    const stamp = this.#slab.stampOf(this.#packedAt.get(row));
    const recent = this.#recent[row % MAX_RECENT];
    if (recent?.stamp === stamp) return recent.unpacked;
    const [state, accounts, ...fields] = this.#unpack(row);
    const unpacked = {
      ...fieldsOf<SessionRecord>(FIELDS, fields),
      accounts: Object.fromEntries(accounts.map((account) => this.#accountOf(account))),
      state: state && this.#stateOf(state),
      // It was packed from a record.
    } as Unpacked;
    this.#recent[row % MAX_RECENT] = { stamp, unpacked };
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

  #accountOf([place, ...fields]: Packed[1][number]): [provider: string, account: AccountRecord] {
    const sealed = place === undefined ? undefined : this.#seals.at(place);
    // It was packed from an account.
    const account = { ...fieldsOf<AccountRecord>(ACCOUNT_FIELDS, fields), sealed } as AccountRecord;
    return [account.provider, account];
  }
}

/** The names of all fields of a type, in their order. */
function namesOf<Name extends string>(order: Record<Name, number>): readonly Name[] {
  // An object has no other names than those of its type here.
  return Object.keys(order) as Name[];
}

function valuesOf<T extends object>(from: T, names: readonly (keyof T)[]): Packable[] {
  // Fields are texts, numbers, `true`, and lists and objects of them.
  return names.map((name) => from[name] as Packable);
}

function fieldsOf<T extends object>(names: readonly (keyof T)[], values: readonly Packable[]): Partial<T> {
  const fields: Partial<Record<keyof T, Packable>> = {};
  for (const [index, name] of names.entries()) fields[name] = values[index];
  return fields as Partial<T>;
}
