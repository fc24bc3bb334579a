import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { Clock } from '../../packages/sessions/src/time/clock.js';

interface Waiting {
  readonly run: () => void;
  isCancelled: boolean;
}

/** The clock of one node, which can be stopped and can crash. All nodes have the time of the engine. */
export class NodeClock implements Clock {
  readonly #clock: VirtualClock;
  /** What a stopped node runs when it continues, in the order in which it came. */
  #waiting: Waiting[] = [];
  #isFrozen = false;
  #hasCrashed = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  get hasCrashed(): boolean {
    return this.#hasCrashed;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Milliseconds on a clock that can be set, since a moment of its own. */
  readonly wallNow = (): number => 1_700_000_000_000 + this.#clock.now();

  after(delayMs: number, run: () => void): () => void {
    const waiting: Waiting = { run, isCancelled: false };
    const cancel = this.#clock.after(delayMs, () => this.#deliver(waiting));
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
