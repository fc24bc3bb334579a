import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';

/**
 * A store behind an unreliable network: requests and replies arrive late, in another order, or not at all. It returns
 * copies of its records.
 */
export class UnreliableSessionStore implements SessionStore {
  readonly #store: SessionStore;
  readonly #travel: () => Promise<void>;

  /**
   * @param store the store behind the network
   * @param travel delays each request and each reply; a rejection loses it
   */
  constructor(store: SessionStore, travel: () => Promise<void>) {
    this.#store = store;
    this.#travel = travel;
  }

  insert(record: SessionRecord): Promise<boolean> {
    return this.#remotely(() => this.#store.insert(record));
  }

  async get(ref: SessionRef): Promise<SessionRecord | undefined> {
    const record = await this.#remotely(() => this.#store.get(ref));
    return record && { ...record };
  }

  replace(next: SessionRecord): Promise<boolean> {
    return this.#remotely(() => this.#store.replace(next));
  }

  touch(ref: SessionRef, atMs: number): Promise<void> {
    return this.#remotely(() => this.#store.touch(ref, atMs));
  }

  take(ref: SessionRef): Promise<SessionRecord | undefined> {
    return this.#remotely(() => this.#store.take(ref));
  }

  async #remotely<T>(call: () => Promise<T>): Promise<T> {
    await this.#travel();
    const answer = await call();
    await this.#travel();
    return answer;
  }
}
