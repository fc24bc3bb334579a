import { SessionError } from '../../errors.js';
import type { SessionRef } from '../../session/ids.js';
import type { InternalEvent } from '../../session/session-events.js';
import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';

/** Refreshes the token set of an account; rejects if that fails. */
type RefreshAccount = (ref: SessionRef, provider: string, generation: number) => Promise<void>;

export interface RefreshSchedulerOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly refresh: RefreshAccount;
}

interface Planned {
  readonly ref: SessionRef;
  readonly provider: string;
  readonly generation: number;
}

/** The delay before the next refresh after an error of the session store. */
const STORE_PAUSE_MS = 5000;

/**
 * Refreshes every account shortly before its access token expires, so that no call waits for it, and retries failed
 * refreshes. The latest event about an account decides when.
 */
export class RefreshScheduler {
  readonly #options: RefreshSchedulerOptions;
  readonly #plans = new Map<SessionRef, Map<string, Deadline>>();

  constructor(options: RefreshSchedulerOptions) {
    this.#options = options;
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
    switch (event.type) {
      case 'account.authenticated':
      case 'account.refreshed':
      case 'account.moved':
      case 'account.refresh_failed':
        if (event.refreshAtMs === undefined) this.#cancel(event.ref, event.provider);
        else this.#plan(event, event.refreshAtMs);
        return;
      case 'account.expires_soon':
        this.#plan(event, event.expiresAtMs);
        return;
      case 'account.removed':
      case 'account.reauthentication_required':
        this.#cancel(event.ref, event.provider);
        return;
      case 'session.signed_out':
      case 'session.ended':
        for (const provider of this.#plans.get(event.ref)?.keys() ?? []) this.#cancel(event.ref, provider);
        return;
      default:
    }
  }

  #plan({ ref, provider, generation }: Planned, atMs: number): void {
    this.#cancel(ref, provider);
    const plans = this.#plans.get(ref) ?? new Map<string, Deadline>();
    const run = () => void this.#refresh({ ref, provider, generation });
    plans.set(provider, this.#options.deadlines.at(atMs, run));
    this.#plans.set(ref, plans);
  }

  #cancel(ref: SessionRef, provider: string): void {
    const plans = this.#plans.get(ref);
    plans?.get(provider)?.cancel();
    plans?.delete(provider);
    if (plans?.size === 0) this.#plans.delete(ref);
  }

  async #refresh(planned: Planned): Promise<void> {
    const { ref, provider, generation } = planned;
    this.#cancel(ref, provider);
    try {
      await this.#options.refresh(ref, provider, generation);
    } catch (error) {
      // For errors of the provider, an event has set the time of the next refresh.
      const isRescheduled = error instanceof SessionError && error.code !== 'store_unavailable';
      if (isRescheduled || this.#plans.get(ref)?.has(provider)) return;
      this.#plan(planned, this.#options.clock.now() + STORE_PAUSE_MS);
    }
  }
}
