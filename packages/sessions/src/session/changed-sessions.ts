import type { Clock } from '../time/clock.js';
import type { SessionRef } from './ids.js';

export interface ChangedSessionsOptions {
  readonly clock: Clock;
  /** Reads a session. @throws SessionError `store_unavailable` */
  readonly read: (ref: SessionRef) => Promise<void>;
  /** Called with the errors of the store. */
  readonly onError: (error: unknown) => void;
}

/** The maximum number of reads at the same time. After a new connection to the engine, all sessions are read. */
const MAX_AT_ONCE = 50;
/** The delay before the next read after an error of the store: the others would fail, too. */
const PAUSE_MS = 1000;

/** Sessions that other nodes have changed, until this node has read them again. Each of them waits once. */
export class ChangedSessions {
  readonly #options: ChangedSessionsOptions;
  readonly #waiting = new Set<SessionRef>();
  readonly #reading = new Set<SessionRef>();
  #isStopped = false;
  /** Ends the pause after an error. */
  #cancelPause: (() => void) | undefined;

  constructor(options: ChangedSessionsOptions) {
    this.#options = options;
  }

  /** Notes that a session has changed. It is read again if it is being read now. */
  add(ref: SessionRef): void {
    if (this.#isStopped) return;
    this.#waiting.add(ref);
    this.#readWaiting();
  }

  /** Reads nothing any more. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
    this.#cancelPause?.();
  }

  #readWaiting(): void {
    if (this.#cancelPause) return;
    for (const ref of this.#waiting) {
      if (this.#reading.size >= MAX_AT_ONCE) return;
      if (this.#reading.has(ref)) continue;
      this.#waiting.delete(ref);
      this.#reading.add(ref);
      void this.#read(ref);
    }
  }

  async #read(ref: SessionRef): Promise<void> {
    const { read, onError } = this.#options;
    try {
      await read(ref);
    } catch (error) {
      onError(error);
      this.#pauseFor(ref);
    }
    this.#reading.delete(ref);
    this.#readWaiting();
  }

  #pauseFor(ref: SessionRef): void {
    if (this.#isStopped) return;
    this.#waiting.add(ref);
    this.#cancelPause ??= this.#options.clock.after(PAUSE_MS, () => {
      this.#cancelPause = undefined;
      this.#readWaiting();
    });
  }
}
