import type { Clock } from '../time/clock.js';
import type { SessionRegistry } from './session-registry.js';

export interface PresenceVisitsOptions {
  readonly registry: Pick<SessionRegistry, 'presentRefs' | 'touch'>;
  readonly clock: Clock;
  /** The time without a request after which a session is signed out. */
  readonly idleMs: number;
  /** Called with the errors of the store. */
  readonly onError: (error: unknown) => void;
}

/** The maximum time between two visits of a client that is present. */
const MAX_INTERVAL_MS = 20_000;
/** The number of visits for each idle time: one that is lost ends no session. */
const VISITS_PER_IDLE_TIME = 4;
/** The number of visits at the same time. */
const MAX_AT_ONCE = 50;

/**
 * Visits the sessions whose clients are present in this process, which only this process knows: another one that looks
 * at them finds a recent request, and does not take them for idle.
 */
export class PresenceVisits {
  readonly #options: PresenceVisitsOptions;
  #cancel: () => void = () => undefined;

  constructor(options: PresenceVisitsOptions) {
    this.#options = options;
    this.#later();
  }

  stop(): void {
    this.#cancel();
  }

  #later(): void {
    const { clock, idleMs } = this.#options;
    const intervalMs = Math.min(MAX_INTERVAL_MS, idleMs / VISITS_PER_IDLE_TIME);
    this.#cancel = clock.after(intervalMs, () => {
      this.#later();
      void this.#visitAll();
    });
  }

  async #visitAll(): Promise<void> {
    const { registry, onError } = this.#options;
    const refs = registry.presentRefs();
    for (let from = 0; from < refs.length; from += MAX_AT_ONCE) {
      const visits = await Promise.allSettled(
        refs.slice(from, from + MAX_AT_ONCE).map((ref) => registry.touch(ref)),
      );
      const failed = visits.find((visit) => visit.status === 'rejected');
      // The store does not answer: the others would fail, too.
      if (failed) return onError(failed.reason);
    }
  }
}
