import { storeUnavailable } from '../../errors.js';
import {
  type AttemptKey,
  type EndedAttempt,
  endedAttempt,
  type LoginAttempt,
  type PendingAttempt,
} from '../../login/attempt-record.js';
import type { AttemptInsertion, AttemptLimits, AttemptStore } from '../../login/attempt-store.js';
import type { SessionRef } from '../../session/ids.js';
import { pollDue } from './due-polling.js';
import type { Engine, Reply } from './engine.js';
import { bytesIn, isAbsent, listOf, numberIn, textIn } from './replies.js';
import {
  dueAttempts,
  findAttempt,
  pendingAttempts,
  postponeAttempt,
  removeAttempt,
  replaceAttempt,
} from './scripts/attempts.js';
import { ENDED_BY_OTHER, insertAttempt } from './scripts/insert-attempt.js';
import type { SealedValues } from './sealed-values.js';

export interface RedisAttemptStoreOptions {
  readonly engine: Engine;
  readonly values: SealedValues;
}

/** Keeps login attempts in an engine that several nodes share. */
export class RedisAttemptStore implements AttemptStore {
  readonly #options: RedisAttemptStoreOptions;

  constructor(options: RedisAttemptStoreOptions) {
    this.#options = options;
  }

  async insert(
    attempt: PendingAttempt,
    replaces: AttemptKey | undefined,
    { maxPerSession, maxAttempts }: AttemptLimits,
  ): Promise<AttemptInsertion> {
    const { engine, values } = this.#options;
    const { key, version, snapshot, provider, quotaKey } = attempt;
    const [dueAtMs, sealed, minimal, state, cookie] = this.#fieldsOf(attempt);
    const reply = await engine.run(insertAttempt, [
      ...[key, version, dueAtMs, sealed, minimal],
      ...[
        values.nameOf('attempt-quota', quotaKey),
        this.#sessionOf(snapshot.ref),
        this.#providerOf(provider),
      ],
      ...[state, cookie, replaces ?? '', maxPerSession, maxAttempts],
    ]);
    const [answer, superseded, evicted] = listOf(reply);
    const kind = textIn(answer);
    if (kind === 'changed' || kind === 'session_full' || kind === 'full') return { kind };
    return {
      kind: 'inserted',
      superseded: this.#displaced(superseded),
      evicted: this.#displaced(evicted),
    };
  }

  get(key: AttemptKey): Promise<LoginAttempt | undefined> {
    return this.#find('key', key);
  }

  byState(stateDigest: string): Promise<LoginAttempt | undefined> {
    return this.#find('st', this.#stateOf(stateDigest));
  }

  async byCookie(cookieDigest: string): Promise<PendingAttempt | undefined> {
    return pendingOnly(await this.#find('ck', this.#cookieOf(cookieDigest)));
  }

  latest(ref: SessionRef, provider: string): Promise<LoginAttempt | undefined> {
    return this.#find('latest', this.#sessionOf(ref), this.#providerOf(provider));
  }

  pendingOf(ref: SessionRef): Promise<readonly PendingAttempt[]> {
    return this.#pending(this.#sessionOf(ref));
  }

  pending(): Promise<readonly PendingAttempt[]> {
    return this.#pending();
  }

  async replace(next: LoginAttempt, ifVersion: number): Promise<boolean> {
    const { engine } = this.#options;
    const fields = next.outcome ? [this.#sealEnded(next)] : this.#fieldsOf(next);
    return (await engine.run(replaceAttempt, [next.key, ifVersion, next.version, ...fields])) === 1;
  }

  async remove(key: AttemptKey, ifVersion: number): Promise<boolean> {
    return (await this.#options.engine.run(removeAttempt, [key, ifVersion])) === 1;
  }

  async postpone(key: AttemptKey, atMs: number): Promise<void> {
    await this.#options.engine.run(postponeAttempt, [key, atMs]);
  }

  consumeDue(run: (key: AttemptKey) => void): () => void {
    return pollDue(this.#options.engine, dueAttempts, (key) => run(key as AttemptKey));
  }

  async #find(by: 'key' | 'st' | 'ck' | 'latest', ...names: string[]): Promise<LoginAttempt | undefined> {
    return this.#attemptOf(await this.#options.engine.run(findAttempt, [by, ...names]));
  }

  async #pending(...session: string[]): Promise<readonly PendingAttempt[]> {
    const replies = listOf(await this.#options.engine.run(pendingAttempts, session));
    return replies.flatMap((reply) => pendingOnly(this.#attemptOf(reply)) ?? []);
  }

  /** Due time, record, what is kept when it has failed, state, cookie. */
  #fieldsOf(attempt: PendingAttempt): [number, Buffer, Buffer, string, string] {
    const { values } = this.#options;
    const { key, version: _version, dueAtMs, ...kept } = attempt;
    const { snapshot, provider, transaction, lastTransaction } = attempt;
    return [
      dueAtMs,
      values.seal('attempt', key, kept),
      values.seal('failed-attempt', key, { snapshot, provider, lastTransaction }),
      lastTransaction ? this.#stateOf(lastTransaction.stateDigest) : '',
      transaction ? this.#cookieOf(transaction.cookieDigest) : '',
    ];
  }

  #sealEnded({ key, version: _version, ...kept }: EndedAttempt): Buffer {
    return this.#options.values.seal('failed-attempt', key, kept);
  }

  #attemptOf(reply: Reply): LoginAttempt | undefined {
    if (isAbsent(reply)) return undefined;
    const { values } = this.#options;
    const [name, version, dueAtMs, sealed, minimal, endedBy] = listOf(reply);
    // Only this class seals attempts, under their keys.
    const key = textIn(name) as AttemptKey;
    const stamp = { key, version: numberIn(version) };
    if (!isAbsent(sealed)) {
      const kept = values.open('attempt', key, bytesIn(sealed)) as PendingAttempt;
      return { ...kept, ...stamp, dueAtMs: numberIn(dueAtMs) };
    }
    const kept = values.open('failed-attempt', key, bytesIn(minimal)) as PendingAttempt | EndedAttempt;
    if (kept.outcome) return { ...kept, ...stamp };
    const failure = numberIn(endedBy) === ENDED_BY_OTHER.evicted ? 'evicted' : 'superseded';
    return endedAttempt({ ...kept, ...stamp }, { kind: 'failed', failure }, stamp.version);
  }

  #displaced(reply: Reply): PendingAttempt | undefined {
    if (Buffer.isBuffer(reply)) return undefined;
    const attempt = pendingOnly(this.#attemptOf(reply));
    if (attempt) return attempt;
    throw storeUnavailable(new TypeError('The engine has answered no pending attempt.'));
  }

  #sessionOf(ref: SessionRef): string {
    return this.#options.values.nameOf('attempt-session', ref);
  }

  #providerOf(provider: string): string {
    return this.#options.values.nameOf('attempt-provider', provider);
  }

  #stateOf(digest: string): string {
    return this.#options.values.nameOf('attempt-state', digest);
  }

  #cookieOf(digest: string): string {
    return this.#options.values.nameOf('attempt-cookie', digest);
  }
}

function pendingOnly(attempt: LoginAttempt | undefined): PendingAttempt | undefined {
  return attempt && !attempt.outcome ? attempt : undefined;
}
