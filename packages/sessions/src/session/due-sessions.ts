import type { Clock } from '../time/clock.js';
import type { SessionRef } from './ids.js';
import type { SessionRecord } from './session-record.js';
import type { SessionStore } from './session-store.js';

/** What is done with a session at a time that its record says. */
export interface DueWork {
  /** When it is due; `undefined`: never. */
  dueAtMs(record: SessionRecord): number | undefined;
  /** Begins the work. Never throws, and reports its errors by itself. */
  run(record: SessionRecord): void;
  /** The time after which it runs again unless the record has changed: it may be in flight, or in vain. */
  readonly againMs: number;
}

export interface DueSessionsOptions {
  readonly store: Pick<SessionStore, 'get' | 'postpone' | 'consumeDue'>;
  readonly clock: Clock;
  /** Called with the errors of the store. */
  readonly onError: (error: unknown) => void;
}

/** The delay before a session is due again after an error of the store. */
const RETRY_MS = 1000;

/**
 * Runs what is due for sessions. A record has the earliest time of all works, which the store keeps with it, so that no
 * timer is lost with a process. Nothing is excluded while it runs: a work that is due again joins the one in flight.
 */
export class DueSessions {
  readonly #options: DueSessionsOptions;
  readonly #works: DueWork[] = [];
  #stop: (() => void) | undefined;

  constructor(options: DueSessionsOptions) {
    this.#options = options;
  }

  /** Adds a work. Call it before the first session starts. */
  add(work: DueWork): void {
    this.#works.push(work);
  }

  /** When a session is due: the earliest time of all works. `Infinity`: never. */
  next(record: SessionRecord): number {
    return this.#earliest(record, (_work, atMs) => atMs);
  }

  /** Begins to run what is due. */
  start(): void {
    this.#stop ??= this.#options.store.consumeDue((ref) => void this.#run(ref));
  }

  /** Runs nothing any more. What is in flight continues. */
  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /**
   * Sets when a session is due, from its record, which was read in this tick.
   * @param atMs default: the earliest time of all works
   * @throws SessionError `store_unavailable`
   */
  async postpone(record: SessionRecord, atMs: number = this.next(record)): Promise<void> {
    const { store } = this.#options;
    const { ref } = record;
    let postponed = store.postpone(ref, atMs);
    for (let known = record; ; ) {
      await postponed;
      // A change between the read and the postponement may have set an earlier time.
      const latest = await store.get(ref);
      if (!latest || latest.version === known.version) return;
      known = latest;
      postponed = store.postpone(ref, this.next(known));
    }
  }

  async #run(ref: SessionRef): Promise<void> {
    const { store, clock, onError } = this.#options;
    try {
      const record = await store.get(ref);
      if (!record || !this.#stop) return;
      const now = clock.now();
      const due: DueWork[] = [];
      const againAtMs = this.#earliest(record, (work, atMs) => {
        if (atMs > now) return atMs;
        due.push(work);
        return now + work.againMs;
      });
      const postponed = this.postpone(record, againAtMs);
      for (const work of due) work.run(record);
      await postponed;
    } catch (error) {
      onError(error);
      await this.#tryAgain(ref);
    }
  }

  async #tryAgain(ref: SessionRef): Promise<void> {
    const { store, clock } = this.#options;
    try {
      await store.postpone(ref, clock.now() + RETRY_MS);
    } catch {
      // The store hands the session over again after its lease.
    }
  }

  #earliest(record: SessionRecord, atMsOf: (work: DueWork, dueAtMs: number) => number): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const work of this.#works) {
      const dueAtMs = work.dueAtMs(record);
      if (dueAtMs !== undefined) earliest = Math.min(earliest, atMsOf(work, dueAtMs));
    }
    return earliest;
  }
}
