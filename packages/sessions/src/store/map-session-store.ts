import type { SessionRef } from '../session/ids.js';
import type { SessionRecord } from '../session/session-record.js';
import type { SessionStore } from '../session/session-store.js';

/** Keeps sessions in a `Map`, until the process ends. Each method acts within one tick, so it is atomic. */
export class MapSessionStore implements SessionStore {
  readonly #records: Map<SessionRef, SessionRecord>;

  /** @param records the map that keeps the records. Default: a new one */
  constructor(records: Map<SessionRef, SessionRecord> = new Map()) {
    this.#records = records;
  }

  get size(): number {
    return this.#records.size;
  }

  async insert(record: SessionRecord): Promise<boolean> {
    if (this.#records.has(record.ref)) return false;
    this.#records.set(record.ref, record);
    return true;
  }

  async get(ref: SessionRef): Promise<SessionRecord | undefined> {
    return this.#records.get(ref);
  }

  async replace(next: SessionRecord): Promise<boolean> {
    const current = this.#records.get(next.ref);
    if (current?.version !== next.version - 1) return false;
    const lastRequestAtMs = Math.max(current.lastRequestAtMs, next.lastRequestAtMs);
    this.#records.set(next.ref, { ...next, lastRequestAtMs });
    return true;
  }

  async touch(ref: SessionRef, atMs: number): Promise<void> {
    const current = this.#records.get(ref);
    if (current && current.lastRequestAtMs < atMs)
      this.#records.set(ref, { ...current, lastRequestAtMs: atMs });
  }

  async take(ref: SessionRef): Promise<SessionRecord | undefined> {
    const record = this.#records.get(ref);
    this.#records.delete(ref);
    return record;
  }
}
