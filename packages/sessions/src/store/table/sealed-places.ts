import type { Clock } from '../../time/clock.js';
import type { SealedRecord } from '../../vault/vault.js';
import type { Slab } from './slab.js';

/** How long a sealed record can be opened after its session was changed or removed, so that tokens can be revoked. */
const DROPPED_MS = 5000;
/** The number of places that are wiped before the event loop continues. */
const MAX_PER_SLICE = 1024;
const SALT_LENGTH_BYTES = 1;
const NOTHING = Buffer.alloc(0);

/** A sealed record in a slab. Once its place has been freed, it is empty and does not open. */
class SealedPlace implements SealedRecord {
  readonly #slab: Slab;
  readonly #free: (place: number) => void;
  readonly #stamp: number;
  readonly place: number;

  /** @param free frees a place, unless a session has it */
  constructor(slab: Slab, place: number, free: (place: number) => void) {
    this.#slab = slab;
    this.#free = free;
    this.#stamp = slab.stampOf(place);
    this.place = place;
  }

  get salt(): Buffer {
    const held = this.#held();
    return held.subarray(SALT_LENGTH_BYTES, SALT_LENGTH_BYTES + (held[0] ?? 0));
  }

  get bytes(): Buffer {
    const held = this.#held();
    return held.subarray(SALT_LENGTH_BYTES + (held[0] ?? 0));
  }

  wiped(): void {
    if (this.isIn(this.#slab)) this.#free(this.place);
  }

  isIn(slab: Slab): boolean {
    return slab === this.#slab && slab.stampOf(this.place) === this.#stamp;
  }

  #held(): Buffer {
    return this.isIn(this.#slab) ? this.#slab.at(this.place) : NOTHING;
  }
}

/**
 * Sealed records in a slab. A record that its session has no longer stays for some seconds, for callers that have read
 * it before: they revoke the tokens, and wipe it. If no caller has wiped it then, it is wiped in any case.
 */
export class SealedPlaces {
  readonly #clock: Clock;
  readonly #slab: Slab;
  /** The places that are wiped later, and when. The oldest first. */
  readonly #dropped = new Map<number, number>();
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, slab: Slab) {
    this.#clock = clock;
    this.#slab = slab;
  }

  /** Takes a sealed record over, and wipes what it is taken from. @returns its place */
  take(sealed: SealedRecord): number {
    const { salt, bytes } = sealed;
    const place = this.#slab.allocate(SALT_LENGTH_BYTES + salt.length + bytes.length);
    const held = this.#slab.at(place);
    held.writeUInt8(salt.length, 0);
    held.set(salt, SALT_LENGTH_BYTES);
    held.set(bytes, SALT_LENGTH_BYTES + salt.length);
    salt.fill(0);
    bytes.fill(0);
    return place;
  }

  /** The place of a sealed record that was read from one. */
  placeOf(sealed: SealedRecord): number | undefined {
    return sealed instanceof SealedPlace && sealed.isIn(this.#slab) ? sealed.place : undefined;
  }

  at(place: number): SealedRecord {
    return new SealedPlace(this.#slab, place, this.#freeDropped);
  }

  /** Wipes a place after some seconds. */
  drop(place: number): void {
    this.#dropped.set(place, this.#clock.now() + DROPPED_MS);
    this.#cancelTimer ??= this.#clock.after(DROPPED_MS, () => this.#wipeDropped());
  }

  readonly #freeDropped = (place: number): void => {
    if (!this.#dropped.delete(place)) return;
    this.#slab.free(place);
    if (this.#dropped.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  };

  #wipeDropped(): void {
    this.#cancelTimer = undefined;
    const now = this.#clock.now();
    let left = MAX_PER_SLICE;
    for (const [place, untilMs] of this.#dropped) {
      if (untilMs > now || left-- === 0) {
        this.#cancelTimer = this.#clock.after(Math.max(untilMs - now, 0), () => this.#wipeDropped());
        return;
      }
      this.#dropped.delete(place);
      this.#slab.free(place);
    }
  }
}
