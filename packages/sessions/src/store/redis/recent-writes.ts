import type { SessionRef } from '../../session/ids.js';
import type { Engine } from './engine.js';
import { rewriteSession } from './scripts/rewrite-session.js';

/** The time before the loss of an engine in which a write may have been lost with it. */
const WINDOW_MS = 20_000;
/** The maximum size of all writes that are kept, in bytes. The oldest are dropped first. */
const MAX_BYTES = 16 * 1024 * 1024;
/** What the entry of a write takes besides its record, in bytes. */
const ENTRY_BYTES = 500;
/** The number of writes that are sent at once. */
const BATCH = 100;

type Argument = string | number | Buffer;

/** The latest write of a session: the arguments of `rewriteSession` after the reference. */
interface RecentWrite {
  readonly ref: SessionRef;
  readonly args: readonly Argument[];
  readonly bytes: number;
  readonly atMs: number;
}

/**
 * The writes of this node that its engine has acknowledged in the last seconds, one for each session. A replica that
 * takes over may not have them. Records are as sealed as they are in the engine.
 */
export class RecentWrites {
  readonly #now: () => number;
  /** The oldest first. */
  readonly #writes = new Map<SessionRef, RecentWrite>();
  #bytes = 0;

  /** @param now milliseconds on a clock that does not follow the engine */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes a session that was written. @param fields the arguments of `insertSession` from the version to the index keys */
  written(ref: SessionRef, number: number, fields: readonly Argument[]): void {
    this.#note(ref, [number, '', ...fields]);
  }

  /** Notes a session that was removed. @param reason its number */
  removed(ref: SessionRef, number: number, reason: number): void {
    this.#note(ref, [number, reason]);
  }

  /** Drops what is older than a failover can lose. @param lostAtMs when the engine was used last. Default: now */
  prune(lostAtMs: number = this.#now()): void {
    for (const write of this.#writes.values()) {
      if (write.atMs >= lostAtMs - WINDOW_MS && this.#bytes <= MAX_BYTES) return;
      this.#drop(write);
    }
  }

  forget(): void {
    this.#writes.clear();
    this.#bytes = 0;
  }

  /**
   * Writes again what the engine does not have. The engine may be lost once more, so the writes stay.
   * @returns the number of writes that were lost
   * @throws SessionError `store_unavailable`
   */
  async writeAgain(engine: Engine): Promise<number> {
    const writes = [...this.#writes.values()];
    let lost = 0;
    for (let at = 0; at < writes.length; at += BATCH) {
      const batch = writes.slice(at, at + BATCH);
      const replies = await Promise.all(
        batch.map(({ ref, args }) => engine.run(rewriteSession, [ref, ...args])),
      );
      lost += replies.filter((reply) => reply === 1).length;
    }
    for (const write of writes) {
      const latest = this.#writes.get(write.ref);
      if (!latest || latest === write) this.#note(write.ref, write.args);
    }
    return lost;
  }

  #note(ref: SessionRef, args: readonly Argument[]): void {
    const earlier = this.#writes.get(ref);
    if (earlier) this.#drop(earlier);
    let bytes = ENTRY_BYTES;
    for (const arg of args) bytes += typeof arg === 'number' ? 8 : arg.length;
    this.#writes.set(ref, { ref, args, bytes, atMs: this.#now() });
    this.#bytes += bytes;
    this.prune();
  }

  #drop({ ref, bytes }: RecentWrite): void {
    this.#writes.delete(ref);
    this.#bytes -= bytes;
  }
}
