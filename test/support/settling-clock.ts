import { VirtualClock } from '../../packages/sessions/src/testing/index.js';

/** A virtual clock that stands still while something takes real time, such as an operation of WebCrypto. */
export class SettlingClock extends VirtualClock {
  readonly #isBusy: () => boolean;
  readonly #dues = new Set<{ readonly atMs: number }>();

  constructor(isBusy: () => boolean) {
    super();
    this.#isBusy = isBusy;
  }

  override after(delayMs: number, run: () => void): () => void {
    const due = { atMs: this.now() + Math.max(delayMs, 0) };
    this.#dues.add(due);
    const cancel = super.after(delayMs, () => {
      this.#dues.delete(due);
      run();
    });
    return () => {
      this.#dues.delete(due);
      cancel();
    };
  }

  override async advance(durationMs: number): Promise<void> {
    const endMs = this.now() + durationMs;
    await this.settle(QUIET_TURNS);
    for (let nextMs = this.#nextMs; nextMs <= endMs; nextMs = this.#nextMs) {
      await super.advance(Math.max(nextMs - this.now(), 0));
      await this.settle(QUIET_TURNS);
    }
    await super.advance(endMs - this.now());
    await this.settle(QUIET_TURNS);
  }

  get #nextMs(): number {
    return Math.min(...[...this.#dues].map(({ atMs }) => atMs));
  }

  /**
   * Gives other work turns of the event loop, until `isOver`. A turn in which something takes real time does not count.
   * @throws Error if that does not end
   */
  async settle(turns: number, isOver: () => boolean = () => false): Promise<void> {
    let busyTurns = 0;
    for (let turn = 0; turn < turns && !isOver(); turn += this.#isBusy() ? 0 : 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#isBusy() && ++busyTurns > MAX_BUSY_TURNS)
        throw new Error('What takes real time does not end.');
    }
  }
}

/** After these turns without an operation, a response has been read and dealt with. */
const QUIET_TURNS = 20;
/** Minutes of work, and more than any operation takes. */
const MAX_BUSY_TURNS = 100_000_000;
