import type { Clock } from '../time/clock.js';

const MINUTE_MS = 60_000;

/** Limits repeated log entries: writes the first entry of each kind at once, and then their number once a minute. */
export class LogThrottle<T> {
  readonly #clock: Clock;
  readonly #write: (what: T, times: number) => void;
  /** The number of entries of each kind since the last written one. */
  readonly #unwritten = new Map<string, number>();

  constructor(clock: Clock, write: (what: T, times: number) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  /** @param kind entries of one kind are counted together; each is kept for a minute */
  add(kind: string, what: T): void {
    const unwritten = this.#unwritten.get(kind);
    if (unwritten === undefined) this.#writeEntry(kind, what, 1);
    else this.#unwritten.set(kind, unwritten + 1);
  }

  #writeEntry(kind: string, what: T, times: number): void {
    this.#unwritten.set(kind, 0);
    this.#clock.after(MINUTE_MS, () => this.#flush(kind, what));
    this.#write(what, times);
  }

  #flush(kind: string, what: T): void {
    const unwritten = this.#unwritten.get(kind) ?? 0;
    if (unwritten > 0) this.#writeEntry(kind, what, unwritten);
    else this.#unwritten.delete(kind);
  }
}
