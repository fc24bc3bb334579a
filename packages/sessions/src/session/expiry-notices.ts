import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';
import type { SessionRef } from './ids.js';
import type { Lifetimes } from './lifetimes.js';
import type { SessionEvents } from './session-events.js';
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
  readonly #planned = new Map<SessionRef, Deadline>();

  constructor(options: ExpiryNoticesOptions) {
    this.#options = options;
    const { absoluteMs } = options.lifetimes;
    this.#noticeMs = Math.min(NOTICE_MS, absoluteMs * NOTICE_SHARE);
    options.events.subscribe((event) => {
      switch (event.type) {
        case 'account.authenticated':
        case 'account.moved':
          if (!this.#planned.has(event.ref)) this.#plan(event.ref, absoluteMs - this.#noticeMs);
          return;
        case 'session.signed_out':
        case 'session.ended':
          this.#cancel(event.ref);
          return;
        default:
      }
    });
  }

  #plan(ref: SessionRef, inMs: number): void {
    const { clock, deadlines } = this.#options;
    this.#planned.set(
      ref,
      deadlines.at(clock.now() + inMs, () => void this.#give(ref)),
    );
  }

  #cancel(ref: SessionRef): void {
    this.#planned.get(ref)?.cancel();
    this.#planned.delete(ref);
  }

  /** A session whose handle was new a moment ago may have been logged in for longer: the record knows. */
  async #give(ref: SessionRef): Promise<void> {
    const { registry, events } = this.#options;
    const record = await registry.get(ref).catch(() => undefined);
    if (record?.signedInAtMs !== undefined) events.emit({ type: 'session.expires_soon', ref });
  }
}
