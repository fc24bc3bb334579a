import { ANONYMOUS_OWNER, type SessionRef } from '../../session/ids.js';
import type { SessionKind, SessionRecord } from '../../session/session-record.js';
import type { RefPage } from '../../session/session-store.js';
import { Column } from './column.js';
import { type Packable, Packer } from './packed.js';
import { type Complete, type PackedRecord, packedOf, type Unpacked, unpackedOf } from './packed-record.js';
import type { SealedPlaces } from './sealed-places.js';
import type { Slab } from './slab.js';

/**
 * The number of unpacked records that are kept, as long as a request takes. They have no secrets. More of them would live
 * so long that V8 moves them to the old generation.
 */
const MAX_RECENT = 64;

/** The rows of one page of references. All of them may be signed out before the event loop continues. */
const PAGE_ROWS = 64;

const KINDS: readonly SessionKind[] = [
  'connection',
  'handle',
  'pending-handle',
  'owner-session',
  'owned-connection',
];
const KNOWN_TEXTS = [...KINDS, ANONYMOUS_OWNER, 'authenticated', 'reauthentication_required', 'openid'];

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
  readonly #recent: { readonly stamp: number; readonly unpacked: Unpacked }[] = [];
  /** The place of what is packed. */
  readonly #packedAt = Column.float64();
  #highest = 0;

  constructor(slab: Slab, seals: SealedPlaces) {
    this.#slab = slab;
    this.#seals = seals;
  }

  refOf(row: number): SessionRef {
    return this.#unpackedOf(row).ref;
  }

  /** The references of the next rows. */
  refs(afterRow: number): RefPage {
    const last = Math.min(afterRow + PAGE_ROWS, this.#highest);
    const refs: SessionRef[] = [];
    for (let row = afterRow + 1; row <= last; row++) {
      const place = this.#packedAt.get(row);
      // It is packed first.
      if (place !== 0) refs.push(this.#packer.first(this.#slab.at(place)) as SessionRef);
    }
    return { refs, next: last < this.#highest ? last : undefined };
  }

  /** Sets all fields of a row. Its sealed records are taken over: read the record again to open them. */
  write(row: number, record: SessionRecord): void {
    const before = this.#placesOf(row);
    const after = new Set<number>();
    const packed = packedOf(record, (sealed) => {
      const kept = this.#seals.placeOf(sealed);
      const place = kept !== undefined && before.includes(kept) ? kept : this.#seals.take(sealed);
      after.add(place);
      return place;
    });
    this.#pack(row, packed);
    for (const place of before) if (!after.has(place)) this.#seals.drop(place);
    this.version.set(row, record.version);
    this.lastRequestAtMs.set(row, record.lastRequestAtMs);
    this.dueAtMs.set(row, record.dueAtMs);
    this.#highest = Math.max(this.#highest, row);
  }

  read(row: number): SessionRecord {
    const unpacked = this.#unpackedOf(row);
    // A literal, because a copy of an object takes ten times as long.
    return {
      ref: unpacked.ref,
      version: this.version.get(row),
      kind: unpacked.kind,
      owner: unpacked.owner,
      quotaKey: unpacked.quotaKey,
      createdAtMs: unpacked.createdAtMs,
      lastRequestAtMs: this.lastRequestAtMs.get(row),
      dueAtMs: this.dueAtMs.get(row),
      signedInAtMs: unpacked.signedInAtMs,
      epoch: unpacked.epoch,
      generation: unpacked.generation,
      signedOut: unpacked.signedOut,
      accounts: unpacked.accounts,
      formerSubjects: unpacked.formerSubjects,
      state: unpacked.state,
      session: unpacked.session,
      subjectKey: unpacked.subjectKey,
      isExpiryAnnounced: unpacked.isExpiryAnnounced,
    } satisfies Complete<SessionRecord>;
  }

  /** Frees a row. Its sealed records can be opened for some seconds more. */
  clear(row: number): void {
    for (const place of this.#placesOf(row)) this.#seals.drop(place);
    this.#slab.free(this.#packedAt.get(row));
    this.#packedAt.set(row, 0);
  }

  /** What a row has packed. Requests read it several times, so some are kept. */
  #unpackedOf(row: number): Unpacked {
    const place = this.#packedAt.get(row);
    // Packed bytes never change, so the number of their allocation tells them from all others.
    const stamp = this.#slab.stampOf(place);
    const recent = this.#recent[row % MAX_RECENT];
    if (recent?.stamp === stamp) return recent.unpacked;
    // Only `write` packs.
    const packed = this.#packer.unpack(this.#slab.at(place)) as unknown as PackedRecord;
    const unpacked = unpackedOf(packed, (each) => this.#seals.at(each));
    this.#recent[row % MAX_RECENT] = { stamp, unpacked };
    return unpacked;
  }

  #pack(row: number, packed: PackedRecord): void {
    // Its fields are texts, numbers, `true`, and lists and objects of them.
    const bytes = this.#packer.pack(packed as Packable);
    const before = this.#packedAt.get(row);
    const place = this.#slab.allocate(bytes.length);
    this.#slab.at(place).set(bytes);
    this.#packedAt.set(row, place);
    if (before !== 0) this.#slab.free(before);
  }

  /** The places of the sealed records of a row. */
  #placesOf(row: number): readonly number[] {
    if (this.#packedAt.get(row) === 0) return [];
    const { state, accounts } = this.#unpackedOf(row);
    return [state, ...Object.values(accounts)]
      .map((each) => each?.sealed && this.#seals.placeOf(each.sealed))
      .filter((place) => place !== undefined);
  }
}
