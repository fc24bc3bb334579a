import { ExpiringMap } from '../limits/expiring-map.js';
import { FairEviction } from '../limits/fair-eviction.js';
import {
  type AttemptKey,
  type EndedAttempt,
  endedAttempt,
  type LoginAttempt,
  type PendingAttempt,
} from '../login/attempt-record.js';
import {
  type AttemptInsertion,
  type AttemptLimits,
  type AttemptStore,
  FAILED_LOGIN_KEPT_MS,
  MAX_FAILED_LOGINS,
} from '../login/attempt-store.js';
import type { SessionRef } from '../session/ids.js';
import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';

/** The time until an attempt that was handed over is due again. */
const LEASE_MS = 5000;

export interface MapAttemptStoreOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/** Keeps login attempts in maps, until the process ends. Each method acts within one tick, so it is atomic. */
export class MapAttemptStore implements AttemptStore {
  readonly #options: MapAttemptStoreOptions;
  /** In the order in which they were added. */
  readonly #pending = new Map<AttemptKey, PendingAttempt>();
  readonly #ended: ExpiringMap<AttemptKey, { current: EndedAttempt }>;
  readonly #byState = new Map<string, AttemptKey>();
  readonly #byCookie = new Map<string, AttemptKey>();
  /** By session and provider. All pending attempts are among them. */
  readonly #latest = new Map<SessionRef, Map<string, AttemptKey>>();
  readonly #quotas = new FairEviction<AttemptKey>();
  readonly #due = new Map<AttemptKey, Deadline>();
  readonly #consumers = new Set<(key: AttemptKey) => void>();

  constructor(options: MapAttemptStoreOptions) {
    this.#options = options;
    this.#ended = new ExpiringMap({
      clock: options.clock,
      maxEntries: MAX_FAILED_LOGINS,
      ttlMs: FAILED_LOGIN_KEPT_MS,
      onEvicted: ({ current }) => this.#forget(current),
    });
  }

  /** The number of pending attempts. */
  get size(): number {
    return this.#pending.size;
  }

  /** The number of index entries, of pending and of failed attempts. */
  get indexSize(): number {
    let size = this.#byState.size + this.#byCookie.size;
    for (const ofProviders of this.#latest.values()) size += ofProviders.size;
    return size;
  }

  insert(
    attempt: PendingAttempt,
    replaces: AttemptKey | undefined,
    { maxPerSession, maxAttempts }: AttemptLimits,
  ): AttemptInsertion {
    const { key, snapshot, provider, version } = attempt;
    const ofSession = this.pendingOf(snapshot.ref);
    const superseded = ofSession.find((other) => other.provider === provider);
    if (superseded?.key !== replaces) return { kind: 'changed' };
    if (ofSession.length - (superseded ? 1 : 0) >= maxPerSession) return { kind: 'session_full' };
    const isFull = !superseded && this.#pending.size >= maxAttempts;
    const evicted = isFull ? this.#evictionCandidate(attempt.quotaKey) : undefined;
    if (isFull && !evicted) return { kind: 'full' };
    if (superseded) this.#end(endedAttempt(superseded, { kind: 'failed', failure: 'superseded' }, version));
    if (evicted) this.#end(endedAttempt(evicted, { kind: 'failed', failure: 'evicted' }, version));
    const ofProviders = this.#latest.get(snapshot.ref) ?? new Map<string, AttemptKey>();
    this.#latest.set(snapshot.ref, ofProviders.set(provider, key));
    this.#quotas.add(key, attempt.quotaKey);
    this.#put(attempt);
    return { kind: 'inserted', superseded, evicted };
  }

  get(key: AttemptKey): LoginAttempt | undefined {
    return this.#pending.get(key) ?? this.#ended.get(key)?.current;
  }

  byState(stateDigest: string): LoginAttempt | undefined {
    const key = this.#byState.get(stateDigest);
    return key === undefined ? undefined : this.get(key);
  }

  byCookie(cookieDigest: string): PendingAttempt | undefined {
    const key = this.#byCookie.get(cookieDigest);
    return key === undefined ? undefined : this.#pending.get(key);
  }

  latest(ref: SessionRef, provider: string): LoginAttempt | undefined {
    const key = this.#latest.get(ref)?.get(provider);
    return key === undefined ? undefined : this.get(key);
  }

  pendingOf(ref: SessionRef): readonly PendingAttempt[] {
    return [...(this.#latest.get(ref)?.values() ?? [])].flatMap((key) => this.#pending.get(key) ?? []);
  }

  pending(): readonly PendingAttempt[] {
    return [...this.#pending.values()];
  }

  replace(next: LoginAttempt, ifVersion: number): boolean {
    const current = this.get(next.key);
    if (current?.version !== ifVersion) return false;
    if (next.outcome) {
      if (current.outcome) this.#update(next);
      else this.#end(next);
      return true;
    }
    if (current.outcome) return false;
    this.#dropIndexes(current);
    this.#put(next);
    return true;
  }

  remove(key: AttemptKey, ifVersion: number): boolean {
    const current = this.#pending.get(key);
    if (current?.version !== ifVersion) return false;
    this.#delete(current);
    this.#forget(current);
    return true;
  }

  postpone(key: AttemptKey, atMs: number): void {
    if (this.#pending.has(key)) this.#dueAt(key, atMs);
  }

  consumeDue(run: (key: AttemptKey) => void): () => void {
    const consumer = (key: AttemptKey) => run(key);
    this.#consumers.add(consumer);
    return () => void this.#consumers.delete(consumer);
  }

  /** @returns `undefined` if no attempt may be evicted for another one of `quotaKey` */
  #evictionCandidate(quotaKey: string): PendingAttempt | undefined {
    const largest = [...this.#quotas.largest()].flatMap((key) => this.#pending.get(key) ?? []);
    const [oldest] = largest;
    return (
      firstWithoutConsent(largest) ??
      (largest.length > this.#quotas.of(quotaKey).size + 1
        ? oldest
        : firstWithoutConsent(this.#pending.values()))
    );
  }

  #put(attempt: PendingAttempt): void {
    const { key, transaction, lastTransaction } = attempt;
    this.#pending.set(key, attempt);
    if (lastTransaction) this.#byState.set(lastTransaction.stateDigest, key);
    if (transaction) this.#byCookie.set(transaction.cookieDigest, key);
    this.#dueAt(key, attempt.dueAtMs);
  }

  /** Moves a pending attempt to those that have failed. */
  #end(ended: EndedAttempt): void {
    const pending = this.#pending.get(ended.key);
    if (pending) this.#delete(pending);
    if (ended.lastTransaction) this.#byState.set(ended.lastTransaction.stateDigest, ended.key);
    this.#ended.set(ended.key, { current: ended });
  }

  /** Changes a failed attempt. The time for which it is kept stays. */
  #update(ended: EndedAttempt): void {
    const entry = this.#ended.get(ended.key);
    if (entry) entry.current = ended;
  }

  /** Removes a pending attempt; it stays the latest of its session. */
  #delete(attempt: PendingAttempt): void {
    const { key } = attempt;
    this.#dropIndexes(attempt);
    this.#pending.delete(key);
    this.#quotas.delete(key);
    this.#due.get(key)?.cancel();
    this.#due.delete(key);
  }

  #dropIndexes({ key, transaction, lastTransaction }: PendingAttempt): void {
    if (lastTransaction) deleteIf(this.#byState, lastTransaction.stateDigest, key);
    if (transaction) deleteIf(this.#byCookie, transaction.cookieDigest, key);
  }

  /** Removes what finds an attempt that is neither pending nor failed any more. */
  #forget({ key, snapshot, provider, lastTransaction }: LoginAttempt): void {
    if (lastTransaction) deleteIf(this.#byState, lastTransaction.stateDigest, key);
    const ofProviders = this.#latest.get(snapshot.ref);
    if (ofProviders) deleteIf(ofProviders, provider, key);
    if (ofProviders?.size === 0) this.#latest.delete(snapshot.ref);
  }

  #dueAt(key: AttemptKey, atMs: number): void {
    this.#due.get(key)?.cancel();
    this.#due.delete(key);
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#due.set(
      key,
      this.#options.deadlines.at(atMs, () => this.#handOver(key)),
    );
  }

  #handOver(key: AttemptKey): void {
    this.#dueAt(key, this.#options.clock.now() + LEASE_MS);
    const [consumer] = this.#consumers;
    consumer?.(key);
  }
}

function deleteIf<Key>(map: Map<Key, AttemptKey>, at: Key, key: AttemptKey): void {
  if (map.get(at) === key) map.delete(at);
}

function firstWithoutConsent(attempts: Iterable<PendingAttempt>): PendingAttempt | undefined {
  for (const attempt of attempts) if (!attempt.lastTransaction) return attempt;
  return undefined;
}
