import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';
import type { SessionRef } from './ids.js';
import type { Lifetimes } from './lifetimes.js';
import type { InternalEvent, SessionEvents } from './session-events.js';
import { type SessionSnapshot, snapshotOf } from './session-record.js';
import type { SessionRegistry } from './session-registry.js';

const NOTICE_MS = 5 * 60 * 1000;
/** Shorter logins get their notice in this last part of their lifetime. */
const NOTICE_SHARE = 0.2;

export interface ExpiryNoticesOptions {
  readonly registry: SessionRegistry;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly lifetimes: Lifetimes;
}

/** Gives notice, some minutes ahead, that a login is about to reach its longest lifetime. */
export class ExpiryNotices {
  readonly #options: ExpiryNoticesOptions;
  readonly #noticeMs: number;
  /** Sessions that get a notice, or have got it. */
  readonly #planned = new Map<SessionRef, Plan>();

  constructor(options: ExpiryNoticesOptions) {
    this.#options = options;
    this.#noticeMs = Math.min(NOTICE_MS, options.lifetimes.absoluteMs * NOTICE_SHARE);
  }

  /** Follows an event. Call it for each one. */
  handle(event: InternalEvent): void {
    switch (event.type) {
      case 'account.authenticated':
      case 'account.moved':
        if (!this.#planned.has(event.ref)) void this.#plan(snapshotOf(event));
        return;
      case 'session.signed_out':
      case 'session.ended':
        this.#cancel(event.ref);
        return;
      default:
    }
  }

  async #plan(session: SessionSnapshot): Promise<void> {
    const { ref } = session;
    const { registry, events, clock, deadlines, lifetimes } = this.#options;
    const plan: Plan = { deadline: undefined };
    this.#planned.set(ref, plan);
    // A handle that is new may belong to a login that is not: only the record knows.
    const known = await registry.get(ref).catch(() => 'unknown' as const);
    if (this.#planned.get(ref) !== plan) return;
    const signedInAtMs = known === 'unknown' ? clock.now() : known?.signedInAtMs;
    if (signedInAtMs === undefined) {
      this.#planned.delete(ref);
      return;
    }
    const give = () => events.emit({ type: 'session.expires_soon', ...session });
    plan.deadline = deadlines.at(signedInAtMs + lifetimes.absoluteMs - this.#noticeMs, give);
  }

  #cancel(ref: SessionRef): void {
    this.#planned.get(ref)?.deadline?.cancel();
    this.#planned.delete(ref);
  }
}

/** A notice that is to be given, once its time is known. */
interface Plan {
  deadline: Deadline | undefined;
}
