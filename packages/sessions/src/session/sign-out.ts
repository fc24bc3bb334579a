import { andThen, type MaybePromise } from '../time/promises.js';
import type { Disposal, RevocationReport } from './disposal.js';
import type { SessionRef } from './ids.js';
import type { LocalSessions } from './local-sessions.js';
import { refPages } from './ref-pages.js';
import type { SessionEvents } from './session-events.js';
import type { SessionMessages } from './session-messages.js';
import {
  type EndReason,
  hasHandle,
  isSignedIn,
  type SessionRecord,
  type SignOutReason,
  signOutOf,
  snapshotOf,
} from './session-record.js';
import type { ChangedSession, ChangeOptions, SessionChange, SessionRecords } from './session-records.js';
import type { SessionStore } from './session-store.js';

export interface SignOutOptions {
  readonly store: SessionStore;
  readonly records: SessionRecords;
  readonly local: LocalSessions;
  readonly events: SessionEvents;
  readonly disposal: Disposal;
  /** Absent if no other node can change sessions. */
  readonly messages?: Pick<SessionMessages, 'publish'> | undefined;
  /** Called with the errors of the store that no caller waits for. */
  readonly onError: (error: unknown) => void;
}

/** The result of a sign-out or an end. `revoked` resolves when the providers have answered. */
export interface SignedOut {
  /** Whether this call has changed the session. */
  readonly isDone: boolean;
  readonly revoked: Promise<RevocationReport[]>;
}

export type EndFollower = (record: SessionRecord, reason: EndReason) => void;
export type RecordCondition = (record: SessionRecord) => boolean;

const NOTHING_REVOKED: SignedOut = { isDone: false, revoked: Promise.resolve([]) };

/**
 * Signs sessions out and ends them, in this order: the record has changed, what runs is aborted, secrets are wiped,
 * events are emitted, and the providers are asked to revoke the tokens.
 */
export class SignOut {
  readonly #options: SignOutOptions;
  readonly #followers: EndFollower[] = [];

  constructor(options: SignOutOptions) {
    this.#options = options;
  }

  /** Calls `run` with the record of each session that has ended, after the event `session.ended`. */
  onEnded(run: EndFollower): void {
    this.#followers.push(run);
  }

  /** Changes a record. A change that raises the epoch signs out the previous user. */
  async update(
    ref: SessionRef,
    change: SessionChange,
    options?: ChangeOptions,
  ): Promise<ChangedSession | undefined> {
    const changed = await this.#options.records.update(ref, change, options);
    if (!changed) return undefined;
    this.#options.local.changed(changed.after);
    if (changed.after.epoch !== changed.before.epoch) this.#signedOut(changed, 'other_user');
    return changed;
  }

  /** Wipes every account of a session. A session with a handle ends. */
  async signOut(ref: SessionRef, reason: SignOutReason, condition: RecordCondition): Promise<SignedOut> {
    const record = await this.#options.store.get(ref);
    if (record && hasHandle(record)) return condition(record) ? this.end(ref, reason) : NOTHING_REVOKED;
    // The epoch increases also without a login, so that a pending login cannot complete afterwards.
    return this.signOutIf(ref, reason, condition);
  }

  /** Signs a session out if the condition holds for the newest record. */
  async signOutIf(ref: SessionRef, reason: SignOutReason, condition: RecordCondition): Promise<SignedOut> {
    const changed = await this.#options.records.update(ref, (current) => {
      if (!condition(current)) return undefined;
      if (!isSignedIn(current)) return { epoch: current.epoch + 1 };
      return { ...signOutOf(current), signedOut: reason };
    });
    return changed ? this.#signedOut(changed, reason) : NOTHING_REVOKED;
  }

  /** Signs a session out and removes it, within one tick if the store answers at once. */
  async end(ref: SessionRef, reason: EndReason): Promise<SignedOut> {
    return andThen(this.#options.records.take(ref, reason), (record) =>
      record ? { isDone: true, revoked: this.ended(record, reason) } : NOTHING_REVOKED,
    );
  }

  /** Removes a session without a sign-out. The caller seals its accounts for another session, or disposes of them. */
  retire(ref: SessionRef): MaybePromise<SessionRecord | undefined> {
    return andThen(this.#options.records.take(ref, 'replaced'), (record) => {
      if (record) this.#closed(record, 'replaced');
      return record;
    });
  }

  /** Ends every session. Errors of the store are reported, and those sessions remain. */
  async endAll(reason: EndReason): Promise<void> {
    const { store, onError } = this.#options;
    try {
      for await (const refs of refPages(store)) {
        const ends = refs.map((ref) => this.end(ref, reason));
        for (const end of await Promise.allSettled(ends)) if (end.status === 'rejected') onError(end.reason);
      }
    } catch (error) {
      onError(error);
    }
  }

  /** Aborts, wipes and revokes what belongs to a session that was removed. */
  ended(record: SessionRecord, reason: EndReason): Promise<RevocationReport[]> {
    this.#options.local.forget(record);
    const revoked = this.#dispose(record);
    this.#closed(record, reason);
    return revoked;
  }

  /** Aborts, wipes and revokes what belongs to the epoch before a sign-out. */
  #signedOut({ before, after }: ChangedSession, reason: SignOutReason): SignedOut {
    const { local, messages } = this.#options;
    local.changed(after);
    // Also without a login and an event: a pending login ends.
    messages?.publish(after.ref);
    if (!isSignedIn(before)) return { ...NOTHING_REVOKED, isDone: true };
    const revoked = this.#dispose(before);
    this.#options.events.emit({ type: 'session.signed_out', ...snapshotOf(before), reason });
    return { isDone: true, revoked };
  }

  #closed(record: SessionRecord, reason: EndReason): void {
    this.#options.local.forget(record);
    this.#options.events.emit({ type: 'session.ended', ...snapshotOf(record), reason });
    for (const follow of this.#followers) follow(record, reason);
  }

  #dispose(record: SessionRecord): Promise<RevocationReport[]> {
    const { disposal } = this.#options;
    disposal.wipeState(record);
    return disposal.dispose(record, Object.values(record.accounts));
  }
}
