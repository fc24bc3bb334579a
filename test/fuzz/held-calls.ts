/** A call whose client waits for a user, while others go on. */
export interface HeldCall {
  /** Never rejects. */
  readonly answered: Promise<void>;
  /** The number of the request before which its client gives it up. */
  readonly untilNumber: number;
  readonly giveUp: () => void;
}

/** More of them would hold connections that others need. */
export const MOST_HELD = 24;

/** Calls that wait for users. How long they do so is told in requests: a slow machine is as patient as a quick one. */
export class HeldCalls {
  readonly #calls = new Set<HeldCall>();

  add(call: HeldCall): void {
    const [oldest] = this.#calls;
    if (oldest && this.#calls.size >= MOST_HELD) this.#giveUp(oldest);
    this.#calls.add(call);
    void call.answered.then(() => this.#calls.delete(call));
  }

  /** So many requests have been sent: who had patience for no more gives up. */
  pass(number: number): void {
    for (const call of this.#calls) if (call.untilNumber <= number) this.#giveUp(call);
  }

  /** Gives up all, and waits until they are answered. */
  async end(): Promise<void> {
    const calls = [...this.#calls];
    for (const call of calls) this.#giveUp(call);
    await Promise.all(calls.map(({ answered }) => answered));
  }

  #giveUp(call: HeldCall): void {
    this.#calls.delete(call);
    call.giveUp();
  }
}
