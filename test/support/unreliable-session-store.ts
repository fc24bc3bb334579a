import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { IndexKey } from '../../packages/sessions/src/session/session-index.js';
import type { EndReason, SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type {
  Insertion,
  InsertLimits,
  SessionStore,
} from '../../packages/sessions/src/session/session-store.js';
import type { MaybePromise } from '../../packages/sessions/src/time/promises.js';

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

  insert(record: SessionRecord, limits: InsertLimits): Promise<Insertion> {
    return this.#remotely(() => this.#store.insert(record, limits));
  }

  async get(ref: SessionRef): Promise<SessionRecord | undefined> {
    const record = await this.#remotely(() => this.#store.get(ref));
    return record && { ...record };
  }

  async visit(ref: SessionRef, atMs: number, quietMs: number): Promise<SessionRecord | undefined> {
    const record = await this.#remotely(() => this.#store.visit(ref, atMs, quietMs));
    return record && { ...record };
  }

  replace(next: SessionRecord, ifVersion: number): Promise<boolean> {
    return this.#remotely(() => this.#store.replace(next, ifVersion));
  }

  take(ref: SessionRef, reason: EndReason): Promise<SessionRecord | undefined> {
    return this.#remotely(() => this.#store.take(ref, reason));
  }

  endReasonOf(ref: SessionRef): Promise<EndReason | undefined> {
    return this.#remotely(() => this.#store.endReasonOf(ref));
  }

  refsOf(key: IndexKey): Promise<readonly SessionRef[]> {
    return this.#remotely(() => this.#store.refsOf(key));
  }

  refs(): Promise<readonly SessionRef[]> {
    return this.#remotely(() => this.#store.refs());
  }

  postpone(ref: SessionRef, atMs: number): Promise<void> {
    return this.#remotely(() => this.#store.postpone(ref, atMs));
  }

  consumeDue(run: (ref: SessionRef) => void): () => void {
    return this.#store.consumeDue(run);
  }

  async #remotely<T>(call: () => MaybePromise<T>): Promise<T> {
    await this.#travel();
    const answer = await call();
    await this.#travel();
    return answer;
  }
}
