import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';
import type { SessionRef } from './ids.js';
import type { Lifetimes } from './lifetimes.js';
import type { InternalEvent, SessionEvents } from './session-events.js';
import { type SessionSnapshot, snapshotOf } from './session-record.js';
import type { SessionRegistry } from './session-registry.js';

const NOTICE_MS = 5 * 60 * 1000;
/** For shorter logins: the part of the lifetime before its end. */
const NOTICE_SHARE = 0.2;

export interface ExpiryNoticesOptions {
  readonly registry: SessionRegistry;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly lifetimes: Lifetimes;
}

/** Emits an event some minutes before a login reaches its maximum lifetime. */
export class ExpiryNotices {
  readonly #options: ExpiryNoticesOptions;
  readonly #noticeMs: number;
  /** Sessions with a planned or sent notice. */
  readonly #planned = new Map<SessionRef, Plan>();

  constructor(options: ExpiryNoticesOptions) {
    this.#options = options;
    this.#noticeMs = Math.min(NOTICE_MS, options.lifetimes.absoluteMs * NOTICE_SHARE);
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
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
    // A new handle can have an older login: the record has its time.
    const known = await registry.get(ref).catch(() => 'unknown' as const);
    if (this.#planned.get(ref) !== plan) return;
    const signedInAtMs = known === 'unknown' ? clock.now() : known?.signedInAtMs;
    if (signedInAtMs === undefined) {
      this.#planned.delete(ref);
      return;
    }
    const notify = () => events.emit({ type: 'session.expires_soon', ...session });
    plan.deadline = deadlines.at(signedInAtMs + lifetimes.absoluteMs - this.#noticeMs, notify);
  }

  #cancel(ref: SessionRef): void {
    this.#planned.get(ref)?.deadline?.cancel();
    this.#planned.delete(ref);
  }
}

/** A planned notice. Its deadline is set when the record is read. */
interface Plan {
  deadline: Deadline | undefined;
}
