import type { Clock } from '../time/clock.js';
import type { SessionRef } from './ids.js';
import type { EndReason } from './session-record.js';

const KEPT_MS = 10 * 60 * 1000;
const MAX_TOMBSTONES = 10_000;

interface Tombstone {
  readonly reason: EndReason;
  readonly untilMs: number;
}

/** The reasons why sessions ended, for ten minutes, so that a client with the handle gets the reason. */
export class Tombstones {
  readonly #clock: Clock;
  readonly #entries = new Map<SessionRef, Tombstone>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(ref: SessionRef, reason: EndReason): void {
    this.#entries.set(ref, { reason, untilMs: this.#clock.now() + KEPT_MS });
    for (const [oldest, { untilMs }] of this.#entries) {
      if (this.#entries.size <= MAX_TOMBSTONES && untilMs > this.#clock.now()) break;
      this.#entries.delete(oldest);
    }
  }

  reasonOf(ref: SessionRef): EndReason | undefined {
    const entry = this.#entries.get(ref);
    return entry && entry.untilMs > this.#clock.now() ? entry.reason : undefined;
  }
}
