import { type Clock, MAX_TIMER_MS } from '../../time/clock.js';
import { Column } from './column.js';
import { Rings } from './rings.js';

const TICK_MS = 100;
/** The time after which a row is handed over again, unless its due time was set in the meantime. */
const LEASE_MS = 5000;
const SLOTS = 64;
/** Enough for three years. What is due later is handed over then. */
const LEVELS = 5;
const MAX_TICKS = SLOTS ** LEVELS - 1;
/** The number of rows that are moved before the event loop continues. */
const MAX_PER_SLICE = 2048;
/** A row that is handed over counts as so many: its session may be signed out, which takes 0.2 ms. */
const HAND_OVER_MOVES = 64;

/** A slot whose time comes next. */
interface NextSlot {
  readonly slot: number;
  readonly tick: number;
}

/**
 * When rows are due, in a hierarchical timing wheel (Varghese and Lauck, 1987): the slots of a level are 64 times as
 * long as those of the level below. A row waits in a long slot, and moves to shorter ones as its time comes. It has one
 * timer, and only while there is a consumer.
 */
export class DueWheel {
  readonly #clock: Clock;
  readonly #rings = new Rings();
  /** The first row of each slot, level by level. */
  readonly #firsts = new Uint32Array(LEVELS * SLOTS);
  /** The slot of a row, from 1 on; 0: none. */
  readonly #slotOf = Column.uint16();
  readonly #tickOf = Column.float64();
  /** All earlier ticks are over. */
  #tick = 0;
  #size = 0;
  #consumer: ((row: number) => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #timerTick = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param atMs `Infinity`: never */
  set(row: number, atMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY) {
      this.delete(row);
      return;
    }
    this.#remove(row);
    if (this.#size === 0) this.#tick = Math.floor(this.#clock.now() / TICK_MS);
    const tick = Math.max(Math.ceil(atMs / TICK_MS), this.#tick);
    const fromTick = this.#place(row, Math.min(tick, this.#tick + MAX_TICKS));
    if (fromTick < this.#timerTick) this.#arm(fromTick);
  }

  delete(row: number): void {
    this.#remove(row);
    if (this.#size === 0) this.#disarm();
  }

  /** Hands rows over to `run`, also those that are due already. @returns a function that stops it */
  consume(run: (row: number) => void): () => void {
    this.#consumer = run;
    this.#armNext();
    return () => {
      this.#consumer = undefined;
      this.#disarm();
    };
  }

  /** @returns when the row moves or is handed over */
  #place(row: number, tick: number): number {
    let level = 0;
    let width = 1;
    for (; tick - this.#tick >= width * SLOTS; width *= SLOTS) level++;
    const index = Math.floor(tick / width);
    const slot = level * SLOTS + (index % SLOTS);
    this.#size++;
    this.#tickOf.set(row, tick);
    this.#slotOf.set(row, slot + 1);
    this.#firsts[slot] = this.#rings.append(this.#firsts[slot] ?? 0, row);
    return index * width;
  }

  #remove(row: number): void {
    const slot = this.#slotOf.get(row) - 1;
    if (slot < 0) return;
    this.#size--;
    this.#firsts[slot] = this.#rings.remove(this.#firsts[slot] ?? 0, row);
    this.#slotOf.set(row, 0);
  }

  /** The slot with rows whose time comes next. Of two, the longer one, whose rows may belong into the other. */
  #next(): NextSlot | undefined {
    let next: NextSlot | undefined;
    for (let level = 0, width = 1; level < LEVELS; level++, width *= SLOTS) {
      // A slot whose time has begun earlier is empty: its rows have moved to shorter ones.
      const from = Math.ceil(this.#tick / width);
      for (let at = from; at < from + SLOTS; at++) {
        const slot = level * SLOTS + (at % SLOTS);
        if (this.#firsts[slot] === 0) continue;
        if (!next || at * width <= next.tick) next = { slot, tick: at * width };
        break;
      }
    }
    return next;
  }

  #armNext(): void {
    const next = this.#next();
    if (next) this.#arm(next.tick);
  }

  /** A timer that fires too early, because rows have been removed or set later, costs less than another one each time. */
  #arm(tick: number): void {
    if (!this.#consumer) return;
    this.#disarm();
    this.#timerTick = tick;
    const waitMs = Math.min(Math.max(tick * TICK_MS - this.#clock.now(), 0), MAX_TIMER_MS);
    this.#cancelTimer = this.#clock.after(waitMs, () => this.#fire());
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerTick = Number.POSITIVE_INFINITY;
  }

  #fire(): void {
    this.#disarm();
    try {
      this.#run(Math.floor(this.#clock.now() / TICK_MS));
    } finally {
      this.#armNext();
    }
  }

  #run(nowTick: number): void {
    for (let left = MAX_PER_SLICE; left > 0; ) {
      const next = this.#next();
      if (!next || next.tick > nowTick) {
        this.#tick = nowTick;
        return;
      }
      this.#tick = next.tick;
      const row = this.#firsts[next.slot] ?? 0;
      if (next.slot >= SLOTS) {
        this.#remove(row);
        this.#place(row, this.#tickOf.get(row));
        left--;
      } else {
        this.#handOver(row);
        left -= HAND_OVER_MOVES;
      }
    }
  }

  #handOver(row: number): void {
    // Set first: what the consumer sets counts.
    this.set(row, this.#clock.now() + LEASE_MS);
    this.#consumer?.(row);
  }
}
