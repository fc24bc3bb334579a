import type { SessionSnapshot } from '../session/session-record.js';
import { type RandomSource, randomNumber } from '../vault/random.js';
import {
  type AttemptKey,
  type EndedAttempt,
  endedAttempt,
  type LoginAttempt,
  type PendingAttempt,
} from './attempt-record.js';
import type { AttemptInsertion, AttemptLimits, AttemptStore } from './attempt-store.js';
import type { FailedLogin } from './login-attempt.js';

/** A change of a pending attempt, as its new fields; `undefined` leaves it as it is. */
export type AttemptChange = (attempt: PendingAttempt) => Partial<PendingAttempt> | undefined;

/** A change that took place. */
export interface ChangedAttempt<After extends LoginAttempt = PendingAttempt> {
  readonly before: PendingAttempt;
  readonly after: After;
}

/**
 * The changes of login attempts, each by compare-and-set. If the answer of the store is lost, a read shows whether the
 * change took place; if not, it is made once more. After that a method throws `store_unavailable`.
 */
export class AttemptChanges {
  readonly #store: AttemptStore;
  readonly #random: RandomSource;

  constructor(store: AttemptStore, random: RandomSource) {
    this.#store = store;
    this.#random = random;
  }

  /** A random number for a change. */
  newVersion(): number {
    return randomNumber(this.#random);
  }

  /**
   * Adds an attempt, as the store does. If the answer is lost, removes it again: no client has its link.
   * @param replaces the pending attempt of the session at the provider
   */
  async insert(
    attempt: PendingAttempt,
    replaces: AttemptKey | undefined,
    limits: AttemptLimits,
  ): Promise<AttemptInsertion> {
    try {
      return await this.#store.insert(attempt, replaces, limits);
    } catch (error) {
      await this.#store.remove(attempt.key, attempt.version);
      throw error;
    }
  }

  /**
   * Changes a pending attempt. If another change comes first, calls `change` again with the newest record.
   * @returns `undefined` if the attempt is not pending, or `change` returned `undefined`
   */
  change(key: AttemptKey, change: AttemptChange): Promise<ChangedAttempt | undefined> {
    return this.#replace(key, (attempt, version) => {
      const fields = change(attempt);
      return fields && { ...attempt, ...fields, version };
    });
  }

  /** Ends an attempt as failed. @returns the attempt before, for the one caller that ended it */
  async fail(key: AttemptKey, outcome: FailedLogin): Promise<PendingAttempt | undefined> {
    const ended = await this.#replace<EndedAttempt>(key, (attempt, version) =>
      endedAttempt(attempt, outcome, version),
    );
    return ended?.before;
  }

  /** Ends an attempt as complete. @returns whether it is; `false` if it has failed */
  async complete(key: AttemptKey): Promise<boolean> {
    let failures = 0;
    for (;;) {
      const attempt = await this.#store.get(key);
      // Only an attempt that is complete has no record. A failed one is kept for minutes.
      if (!attempt) return true;
      if (attempt.outcome) return false;
      try {
        if (await this.#store.remove(key, attempt.version)) return true;
      } catch (error) {
        if (++failures > 1) throw error;
      }
    }
  }

  /** Returns the failure of a session's latest login at a provider, once, if its client does not know it yet. */
  async takeUnreported(snapshot: SessionSnapshot, provider: string): Promise<FailedLogin | undefined> {
    const latest = await this.#unreported(snapshot, provider);
    if (!latest) return undefined;
    const reported = { ...latest, isReported: true, version: this.newVersion() };
    try {
      return (await this.#store.replace(reported, latest.version)) ? latest.outcome : undefined;
    } catch (error) {
      const current = await this.#store.get(latest.key);
      if (current?.version !== reported.version) throw error;
      return latest.outcome;
    }
  }

  /** The failure that {@link takeUnreported} would return. */
  async unreported(snapshot: SessionSnapshot, provider: string): Promise<FailedLogin | undefined> {
    return (await this.#unreported(snapshot, provider))?.outcome;
  }

  async #unreported({ ref, epoch }: SessionSnapshot, provider: string): Promise<EndedAttempt | undefined> {
    const latest = await this.#store.latest(ref, provider);
    return latest?.outcome && !latest.isReported && latest.snapshot.epoch === epoch ? latest : undefined;
  }

  async #replace<After extends LoginAttempt>(
    key: AttemptKey,
    nextOf: (attempt: PendingAttempt, version: number) => After | undefined,
  ): Promise<ChangedAttempt<After> | undefined> {
    let unanswered: (ChangedAttempt<After> & { readonly error: unknown }) | undefined;
    for (let failures = 0; ; ) {
      const before = await this.#store.get(key);
      if (unanswered && before?.version === unanswered.after.version) return unanswered;
      if (!before || before.outcome) return undefined;
      if (unanswered && failures > 1) throw unanswered.error;
      const after = nextOf(before, this.newVersion());
      if (!after) return undefined;
      const changed = { before, after };
      try {
        if (await this.#store.replace(after, before.version)) return changed;
      } catch (error) {
        failures++;
        unanswered = { ...changed, error };
      }
    }
  }
}
