import type { Clock } from '../time/clock.js';

const MINUTE_MS = 60_000;

/** Tells of what can happen without end: of each kind at once when it begins, and then how often, once a minute. */
export class LogThrottle<T> {
  readonly #clock: Clock;
  readonly #tell: (what: T, times: number) => void;
  /** How often each kind has happened since it was last told of. */
  readonly #untold = new Map<string, number>();

  constructor(clock: Clock, tell: (what: T, times: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** @param kind what is counted together; each is remembered for a minute */
  add(kind: string, what: T): void {
    const untold = this.#untold.get(kind);
    if (untold === undefined) this.#tellOf(kind, what, 1);
    else this.#untold.set(kind, untold + 1);
  }

  #tellOf(kind: string, what: T, times: number): void {
    this.#untold.set(kind, 0);
    this.#clock.after(MINUTE_MS, () => this.#look(kind, what));
    this.#tell(what, times);
  }

  #look(kind: string, what: T): void {
    const untold = this.#untold.get(kind) ?? 0;
    if (untold > 0) this.#tellOf(kind, what, untold);
    else this.#untold.delete(kind);
  }
}
