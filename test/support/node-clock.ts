import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { Clock } from '../../packages/sessions/src/time/clock.js';

interface Waiting {
  readonly run: () => void;
  isCancelled: boolean;
}

/** How the clock of a node differs from that of the engine. */
export interface ClockError {
  /** In milliseconds, at the beginning. */
  readonly aheadMs: number;
  /** How much faster it is: `0.001` is a millisecond in a second. */
  readonly drift: number;
}

/** The clock of one node, which can be stopped and can crash. */
export class NodeClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #error: ClockError;
  /** What a stopped node runs when it continues, in the order in which it came. */
  #waiting: Waiting[] = [];
  #isFrozen = false;
  #hasCrashed = false;

  /** @param error Default: the time of the engine */
  constructor(clock: VirtualClock, error: ClockError = { aheadMs: 0, drift: 0 }) {
    this.#clock = clock;
    this.#error = error;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  get hasCrashed(): boolean {
    return this.#hasCrashed;
  }

  now(): number {
    const { aheadMs, drift } = this.#error;
    return aheadMs + this.#clock.now() * (1 + drift);
  }

  /** Milliseconds on a clock that can be set, since a moment of its own. */
  readonly wallNow = (): number => 1_700_000_000_000 + this.now();

  after(delayMs: number, run: () => void): () => void {
    const waiting: Waiting = { run, isCancelled: false };
    const cancel = this.#clock.after(delayMs / (1 + this.#error.drift), () => this.#deliver(waiting));
    return () => {
      waiting.isCancelled = true;
      cancel();
    };
  }

  /** Runs something that has come from outside: at once, or when the node continues. Never after a crash. */
  run(run: () => void): void {
    this.#deliver({ run, isCancelled: false });
  }

  /** Stops the node for a while, as SIGSTOP does: nothing runs, and time passes. */
  freeze(durationMs: number): void {
    if (this.#isFrozen) return;
    this.#isFrozen = true;
    this.#clock.after(durationMs, () => this.#continue());
  }

  /** Nothing of the node runs any more. */
  crash(): void {
    this.#hasCrashed = true;
    this.#waiting = [];
  }

  #deliver(waiting: Waiting): void {
    if (waiting.isCancelled || this.#hasCrashed) return;
    if (this.#isFrozen) this.#waiting.push(waiting);
    else waiting.run();
  }

  #continue(): void {
    this.#isFrozen = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    // One after the other: promises settle in between.
    for (const each of waiting) this.#clock.after(0, () => this.#deliver(each));
  }
}
