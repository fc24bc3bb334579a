import type { Clock } from '../time/clock.js';
import { andThen } from '../time/promises.js';
import type { DueSessions, DueWork } from './due-sessions.js';
import type { SessionRef } from './ids.js';
import { type DueChange, type Lifetimes, nextDue } from './lifetimes.js';
import type { LocalSessions } from './local-sessions.js';
import { hasHandle, type SessionRecord } from './session-record.js';
import type { SessionStore } from './session-store.js';
import type { SignOut } from './sign-out.js';

export interface SessionExpiryOptions {
  readonly store: SessionStore;
  readonly due: DueSessions;
  readonly local: LocalSessions;
  readonly signOut: SignOut;
  readonly lifetimes: Lifetimes;
  readonly clock: Clock;
  /** Called with the errors of the store that no caller waits for. */
  readonly onError: (error: unknown) => void;
}

/** The delay before a session is looked at again after an error of the store. */
const RETRY_MS = 1000;

/** Applies the lifetimes that have ended: of sessions that are read, and of those that are due. */
export class SessionExpiry implements DueWork {
  readonly againMs: number = RETRY_MS;
  readonly #options: SessionExpiryOptions;

  constructor(options: SessionExpiryOptions) {
    this.#options = options;
  }

  dueAtMs(record: SessionRecord): number {
    this.#options.local.dueTimeChosen(record.ref);
    return this.#next(record).atMs;
  }

  run(record: SessionRecord): void {
    this.expire(record).catch(this.#options.onError);
  }

  /** The change that a lifetime causes now; `undefined`: none. */
  dueNow(record: SessionRecord): DueChange | undefined {
    const next = this.#next(record);
    return next.atMs <= this.#options.clock.now() ? next : undefined;
  }

  /** Applies a lifetime that has ended, unless the session has changed since it was read. */
  async expire(record: SessionRecord): Promise<void> {
    const { signOut } = this.#options;
    const due = this.dueNow(record);
    if (!due) return;
    const { ref } = record;
    if (due.action === 'end' || hasHandle(record)) await signOut.end(ref, due.reason);
    else await signOut.signOutIf(ref, due.reason, (current) => this.dueNow(current)?.reason === due.reason);
  }

  /** Applies a lifetime that has ended, or sets when the session is due. Never rejects. */
  async recheck(ref: SessionRef): Promise<void> {
    const { store, local, due, clock, onError } = this.#options;
    try {
      const read = local.read(ref, () => store.get(ref));
      await andThen(read, (record) => {
        if (record && this.dueNow(record)) return this.expire(record);
        return record && due.postpone(record);
      });
    } catch (error) {
      onError(error);
      clock.after(RETRY_MS, () => void this.recheck(ref));
    }
  }

  #next(record: SessionRecord): DueChange {
    return nextDue(record, this.#options.local.presenceOf(record.ref), this.#options.lifetimes);
  }
}
