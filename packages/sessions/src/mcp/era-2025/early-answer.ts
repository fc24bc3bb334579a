import type { MaybeSlowCall, SlowCalls } from '../server/slow-calls.js';

/**
 * A call whose client gets JSON if nothing precedes the answer within a second. Everything else needs a stream: other
 * messages of the call, a tool that closes its stream, a cancellation, and a call that takes long.
 */
export class EarlyAnswer implements MaybeSlowCall<EarlyAnswer> {
  previous: EarlyAnswer | undefined;
  next: EarlyAnswer | undefined;
  readonly startedAtMs: number;
  /** Resolves with the answer as JSON, or with `undefined` if the call needs a stream. */
  readonly first: Promise<string | undefined>;
  readonly #slowCalls: SlowCalls<EarlyAnswer>;
  #settle: (json: string | undefined) => void = () => undefined;
  #isSettled = false;
  #needsStream = false;
  #open: () => void = () => undefined;
  readonly #opened: Promise<void>;

  /** @param startedAtMs when the call began. Default: now */
  constructor(slowCalls: SlowCalls<EarlyAnswer>, startedAtMs: number = slowCalls.now()) {
    this.startedAtMs = startedAtMs;
    this.#slowCalls = slowCalls;
    this.first = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
    slowCalls.add(this);
  }

  /** Takes the answer. @returns whether it is the first message, and so needs no stream */
  answer(json: string): boolean {
    if (this.#needsStream) return false;
    this.#finish(json);
    return true;
  }

  /** Resolves when the call has a stream. */
  stream(): Promise<void> {
    this.interrupt();
    return this.#opened;
  }

  /** Asks for a stream. */
  interrupt(): void {
    if (this.#isSettled) return;
    this.#needsStream = true;
    this.#finish(undefined);
  }

  /** Notes that the stream is open, or that it will never be. */
  opened(): void {
    this.#open();
  }

  #finish(json: string | undefined): void {
    this.#isSettled = true;
    this.#slowCalls.delete(this);
    this.#settle(json);
  }
}
