import type { SessionRef } from '../session/ids.js';
import type { SessionRecord } from '../session/session-record.js';
import type { SessionStore } from '../session/session-store.js';

/**
 * A store as far away as a store may be: calls reach it late, its answers come late, and neither in the
 * order in which they were sent. It hands out copies, as a store behind a network does.
 */
export class UnrulySessionStore implements SessionStore {
  readonly #store: SessionStore;
  readonly #travel: () => Promise<void>;

  /**
   * @param store the well-behaved store behind it
   * @param travel takes as long as it likes on each way, and may reject: then the call, or its answer, is lost
   */
  constructor(store: SessionStore, travel: () => Promise<void>) {
    this.#store = store;
    this.#travel = travel;
  }

  insert(record: SessionRecord): Promise<boolean> {
    return this.#far(() => this.#store.insert(record));
  }

  async get(ref: SessionRef): Promise<SessionRecord | undefined> {
    const record = await this.#far(() => this.#store.get(ref));
    return record && { ...record };
  }

  replace(next: SessionRecord): Promise<boolean> {
    return this.#far(() => this.#store.replace(next));
  }

  touch(ref: SessionRef, atMs: number): Promise<void> {
    return this.#far(() => this.#store.touch(ref, atMs));
  }

  take(ref: SessionRef): Promise<SessionRecord | undefined> {
    return this.#far(() => this.#store.take(ref));
  }

  async #far<T>(call: () => Promise<T>): Promise<T> {
    await this.#travel();
    const answer = await call();
    await this.#travel();
    return answer;
  }
}
