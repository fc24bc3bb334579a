import type { DueWork } from './due-sessions.js';
import type { Lifetimes } from './lifetimes.js';
import type { SessionEvents } from './session-events.js';
import { type SessionRecord, snapshotOf } from './session-record.js';
import type { SessionRegistry } from './session-registry.js';

const NOTICE_MS = 5 * 60 * 1000;
/** For shorter logins: the part of the lifetime before its end. */
const NOTICE_SHARE = 0.2;
const AGAIN_MS = 1000;

export interface ExpiryNoticesOptions {
  readonly registry: SessionRegistry;
  readonly events: SessionEvents;
  readonly lifetimes: Lifetimes;
  /** Called with the errors of the store. */
  readonly onError: (error: unknown) => void;
}

/** Emits an event some minutes before a login reaches its maximum lifetime, once. */
export class ExpiryNotices implements DueWork {
  readonly #options: ExpiryNoticesOptions;
  /** The time between the login and its notice. */
  readonly #afterMs: number;
  readonly againMs: number = AGAIN_MS;

  constructor(options: ExpiryNoticesOptions) {
    const { absoluteMs } = options.lifetimes;
    this.#options = options;
    this.#afterMs = absoluteMs - Math.min(NOTICE_MS, absoluteMs * NOTICE_SHARE);
  }

  dueAtMs({ signedInAtMs, isExpiryAnnounced }: SessionRecord): number | undefined {
    return signedInAtMs === undefined || isExpiryAnnounced ? undefined : signedInAtMs + this.#afterMs;
  }

  run(record: SessionRecord): void {
    this.#announce(record).catch(this.#options.onError);
  }

  async #announce({ ref, epoch, signedInAtMs }: SessionRecord): Promise<void> {
    // The event follows the change, so that one process emits it.
    const announced = await this.#options.registry.update(ref, (record) =>
      record.epoch === epoch && record.signedInAtMs === signedInAtMs && !record.isExpiryAnnounced
        ? { isExpiryAnnounced: true }
        : undefined,
    );
    if (announced)
      this.#options.events.emit({ type: 'session.expires_soon', ...snapshotOf(announced.after) });
  }
}
