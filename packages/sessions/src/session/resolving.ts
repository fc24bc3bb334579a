import type { Clock } from '../time/clock.js';
import { andThen, type MaybePromise } from '../time/promises.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import type { SessionExpiry } from './expiry.js';
import { type IdKind, parseSessionId, type SessionRef, sessionRefOf } from './ids.js';
import type { Lifetimes } from './lifetimes.js';
import type { LocalSessions } from './local-sessions.js';
import type { EndReason, SessionRecord } from './session-record.js';
import type { SessionStore } from './session-store.js';

export interface SessionResolvingOptions {
  readonly store: SessionStore;
  readonly keys: KeyHierarchy;
  readonly clock: Clock;
  readonly lifetimes: Lifetimes;
  readonly local: LocalSessions;
  readonly expiry: SessionExpiry;
}

/** The session that an id of a request names. */
export type Resolution =
  | { readonly state: 'live'; readonly record: SessionRecord }
  | { readonly state: 'ended'; readonly reason: EndReason }
  | { readonly state: 'unknown' };

type Found = MaybePromise<SessionRecord | undefined>;

/**
 * Finds sessions, and applies lifetimes that have ended. Each method answers in the same tick if the store does and no
 * lifetime has ended.
 */
export class SessionResolving {
  readonly #options: SessionResolvingOptions;
  /** No lifetime that requests extend ends earlier after the last one. */
  readonly #quietMs: number;

  constructor(options: SessionResolvingOptions) {
    const { idleMs, loginAttemptMs, connectionTtlMs } = options.lifetimes;
    this.#options = options;
    this.#quietMs = Math.min(idleMs, loginAttemptMs, connectionTtlMs);
  }

  /** The current record of a session; `undefined` after its end. */
  get(ref: SessionRef): Found {
    const { store, local } = this.#options;
    const found = local.read(ref, () => store.get(ref));
    return andThen(found, (record) => this.#current(ref, record));
  }

  /** The current record of a session, whose client has sent a request. No request revives a lifetime that has ended. */
  visit(ref: SessionRef): Found {
    const { store, clock, local, expiry } = this.#options;
    const atMs = clock.now();
    const quietMs = local.hasDisconnected(ref) ? 0 : this.#quietMs;
    const found = local.read(ref, () => store.visit(ref, atMs, quietMs));
    return andThen(found, (record) => {
      const isNoted = record !== undefined && record.lastRequestAtMs >= atMs;
      if (isNoted && !expiry.dueNow(record)) return record;
      return andThen(this.#current(ref, record), (current) =>
        current ? store.visit(ref, atMs, Number.POSITIVE_INFINITY) : undefined,
      );
    });
  }

  /** Notes a request that has been served, whatever its time. */
  touch(ref: SessionRef): Found {
    const { store, clock } = this.#options;
    return store.visit(ref, clock.now(), Number.POSITIVE_INFINITY);
  }

  /** Finds the session that an id names. */
  resolve(kind: IdKind, value: string): MaybePromise<Resolution> {
    return this.#resolve(kind, value, (ref) => this.get(ref));
  }

  /** Finds the session that an id of a request names, and notes the request. */
  resolveRequest(kind: IdKind, value: string): MaybePromise<Resolution> {
    return this.#resolve(kind, value, (ref) => this.visit(ref));
  }

  #resolve(kind: IdKind, value: string, find: (ref: SessionRef) => Found): MaybePromise<Resolution> {
    const id = parseSessionId(value);
    if (!id) return { state: 'unknown' };
    const ref = sessionRefOf(this.#options.keys, kind, id);
    return andThen(find(ref), (record): MaybePromise<Resolution> => {
      if (record) return { state: 'live', record };
      return andThen(this.#options.store.endReasonOf(ref), (reason) =>
        reason ? { state: 'ended', reason } : { state: 'unknown' },
      );
    });
  }

  #current(ref: SessionRef, record: SessionRecord | undefined): Found {
    const { expiry } = this.#options;
    if (!record || !expiry.dueNow(record)) return record;
    return expiry.expire(record).then(() => this.get(ref));
  }
}
