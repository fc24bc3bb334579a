import type { ClientKey } from '../../limits/client-key.js';

/** The number of clients among which the next one is chosen, so that choosing takes little time. */
const MAX_COMPARED = 64;

/** Ends the turn, once what began in it has run as far as it can. */
type AfterTurn = (next: () => void) => void;

export interface RequestSchedulerOptions {
  /** The time in milliseconds, from any start. */
  readonly now: () => number;
  /** Default: `setImmediate`, which runs when everything that was ready has run. */
  readonly afterTurn?: AfterTurn | undefined;
}

/**
 * Lets one request begin at a time, so that a client waits for one request of others at most, however many they send.
 * The next request is that of the address that has used the least CPU time in the last seconds. A request that arrives
 * while none is beginning does not wait.
 */
export class RequestScheduler {
  readonly #now: () => number;
  readonly #afterTurn: AfterTurn;
  readonly #waiting = new Map<ClientKey | symbol, (() => void)[]>();
  /** The milliseconds that addresses have used, in this period of a second and in the one before. */
  #used = new Map<ClientKey | symbol, number>();
  #usedBefore = new Map<ClientKey | symbol, number>();
  #periodBeganMs: number;
  #isTaken = false;

  constructor({ now, afterTurn = (next) => void setImmediate(next) }: RequestSchedulerOptions) {
    this.#now = now;
    this.#afterTurn = afterTurn;
    this.#periodBeganMs = now();
  }

  /**
   * Resolves when a request may begin.
   * @param clientKey the address that it counts for; absent: it counts for itself
   */
  async take(clientKey: ClientKey | undefined): Promise<void> {
    const quotaKey = clientKey ?? Symbol('request of this machine');
    if (this.#isTaken) {
      await new Promise<void>((resolve) => {
        const queue = this.#waiting.get(quotaKey) ?? [];
        queue.push(resolve);
        this.#waiting.set(quotaKey, queue);
      });
    } else this.#begin(quotaKey);
  }

  #begin(quotaKey: ClientKey | symbol): void {
    this.#isTaken = true;
    const beganMs = this.#now();
    this.#afterTurn(() => {
      if (typeof quotaKey === 'string') this.#count(quotaKey, beganMs);
      this.#isTaken = false;
      this.#next();
    });
  }

  #count(quotaKey: ClientKey, beganMs: number): void {
    const nowMs = this.#now();
    if (nowMs - this.#periodBeganMs > 1000) {
      this.#usedBefore = this.#used;
      this.#used = new Map();
      this.#periodBeganMs = nowMs;
    }
    this.#used.set(quotaKey, (this.#used.get(quotaKey) ?? 0) + nowMs - beganMs);
  }

  #next(): void {
    let [chosen, least]: [ClientKey | symbol | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    let compared = 0;
    for (const quotaKey of this.#waiting.keys()) {
      const used = (this.#used.get(quotaKey) ?? 0) + (this.#usedBefore.get(quotaKey) ?? 0);
      if (used < least) [chosen, least] = [quotaKey, used];
      if (++compared === MAX_COMPARED) break;
    }
    if (chosen === undefined) return;
    const queue = this.#waiting.get(chosen);
    const resolve = queue?.shift();
    if (!queue?.length) this.#waiting.delete(chosen);
    this.#begin(chosen);
    resolve?.();
  }
}
