import pLimit, { type LimitFunction } from 'p-limit';
import { SessionError } from '../errors.js';
import type { SessionRef } from '../session/ids.js';
import type { SessionEvent, SessionEvents } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';

/** Refreshes one account's token set of `generation`; rejects when that did not work. */
type RefreshAccount = (ref: SessionRef, provider: string, generation: number) => Promise<void>;

export interface RefreshSchedulerOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly events: SessionEvents;
  readonly refresh: RefreshAccount;
  /** How many refreshes run at the same time. */
  readonly maxConcurrent: number;
  /** A random number from 0 to 1, for jitter. */
  readonly fraction: () => number;
}

interface Planned {
  readonly ref: SessionRef;
  readonly provider: string;
  readonly generation: number;
  readonly failures: number;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Refreshes every account shortly before its access token runs out, so that no call has to wait for it.
 * It hears of new tokens through events; a failure is tried again with growing, random pauses until the
 * account has new tokens from elsewhere, is logged out, or dies at its provider.
 */
export class RefreshScheduler {
  readonly #options: RefreshSchedulerOptions;
  readonly #plans = new Map<SessionRef, Map<string, Deadline>>();
  readonly #inTurn: LimitFunction;

  constructor(options: RefreshSchedulerOptions) {
    this.#options = options;
    this.#inTurn = pLimit(options.maxConcurrent);
    options.events.subscribe((event) => this.#hear(event));
  }

  #hear(event: SessionEvent): void {
    switch (event.type) {
      case 'account.authenticated':
      case 'account.refreshed':
      case 'account.moved': {
        const { ref, provider, generation, refreshAtMs } = event;
        if (refreshAtMs !== undefined) this.#plan({ ref, provider, generation, failures: 0 }, refreshAtMs);
        return;
      }
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

  #plan(planned: Planned, atMs: number): void {
    const { ref, provider } = planned;
    this.#cancel(ref, provider);
    const plans = this.#plans.get(ref) ?? new Map<string, Deadline>();
    plans.set(
      provider,
      this.#options.deadlines.at(atMs, () => this.#enqueue(planned)),
    );
    this.#plans.set(ref, plans);
  }

  #cancel(ref: SessionRef, provider: string): void {
    const plans = this.#plans.get(ref);
    plans?.get(provider)?.cancel();
    plans?.delete(provider);
    if (plans?.size === 0) this.#plans.delete(ref);
  }

  #enqueue(planned: Planned): void {
    this.#cancel(planned.ref, planned.provider);
    void this.#inTurn(() => this.#refresh(planned));
  }

  async #refresh(planned: Planned): Promise<void> {
    const { ref, provider, generation } = planned;
    try {
      await this.#options.refresh(ref, provider, generation);
    } catch (error) {
      if (error instanceof SessionError && error.code === 'reauthentication_required') return;
      // Why it failed is in the account and in an event; here it only decides when to try again.
      const failures = planned.failures + 1;
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * this.#options.fraction();
      if (this.#plans.get(ref)?.has(provider)) return;
      this.#plan({ ...planned, failures }, this.#options.clock.now() + pauseMs);
    }
  }
}
