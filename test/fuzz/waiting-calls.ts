/** A call that waits for a user while other requests continue. */
export interface WaitingCall {
  /** Never rejects. */
  readonly answered: Promise<void>;
  /** The number of the request before which its client abandons it. */
  readonly untilNumber: number;
  readonly abandon: () => void;
}

/** More waiting calls would use connections that other requests need. */
export const MAX_WAITING_CALLS = 24;

/** Calls that wait for users. They wait for a number of requests, so that the speed of the machine has no effect. */
export class WaitingCalls {
  readonly #calls = new Set<WaitingCall>();

  add(call: WaitingCall): void {
    const [oldest] = this.#calls;
    if (oldest && this.#calls.size >= MAX_WAITING_CALLS) this.#abandon(oldest);
    this.#calls.add(call);
    void call.answered.then(() => this.#calls.delete(call));
  }

  /** Abandons the calls that wait for at most this number of requests. */
  pass(number: number): void {
    for (const call of this.#calls) if (call.untilNumber <= number) this.#abandon(call);
  }

  /** Abandons all calls, and waits for their ends. */
  async end(): Promise<void> {
    const calls = [...this.#calls];
    for (const call of calls) this.#abandon(call);
    await Promise.all(calls.map(({ answered }) => answered));
  }

  #abandon(call: WaitingCall): void {
    this.#calls.delete(call);
    call.abandon();
  }
}
