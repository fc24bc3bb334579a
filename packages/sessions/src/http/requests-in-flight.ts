import type { RequestEnd } from './request-end.js';

/** Counts the requests in flight. Standalone streams and listen streams do not count. */
export class RequestsInFlight {
  #count = 0;
  readonly #onSettled: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  /** Counts a request until its end. */
  add(end: RequestEnd): void {
    this.#count++;
    end.onEnd(() => {
      this.#count--;
      if (this.#count === 0) for (const settled of this.#onSettled.splice(0)) settled();
    });
  }

  /** Resolves when no request is in flight. */
  async settled(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#onSettled.push(resolve));
  }
}
