import type { ClientKey } from '../../limits/client-key.js';
import { Counter } from '../../limits/counter.js';

/** The maximum number of clients that are compared to choose the next one, so that the choice takes little time. */
const MAX_COMPARED = 64;
const PERIOD_MS = 1000;

/** Calls `next` when the request of this turn has run as far as it can. */
type AfterTurn = (next: () => void) => void;

export interface RequestSchedulerOptions {
  /** Returns milliseconds on a monotonic clock. */
  readonly now: () => number;
  /** Default: after everything that was ready, and every millisecond after a round of the event loop. */
  readonly afterTurn?: AfterTurn | undefined;
}

/**
 * Starts one request at a time, each when the one before has run as far as it can. A client waits for at most one
 * request of other clients, or for short ones of together a millisecond, however many they send. The next request is
 * that of the address that has used the least CPU time in the last one to two seconds. A request that arrives while no
 * other one starts does not wait.
 */
export class RequestScheduler {
  readonly #now: () => number;
  readonly #afterTurn: AfterTurn;
  readonly #waiting = new Map<ClientKey | symbol, (() => void)[]>();
  /** The milliseconds that addresses have used, in the current period and in the previous one. */
  #used = new Counter<ClientKey | symbol>();
  #usedBefore = new Counter<ClientKey | symbol>();
  #periodStartMs: number;
  #isTaken = false;

  constructor({ now, afterTurn = withinRounds(now) }: RequestSchedulerOptions) {
    this.#now = now;
    this.#afterTurn = afterTurn;
    this.#periodStartMs = now();
  }

  /**
   * Resolves when a request may start; `undefined` if it starts at once.
   * @param clientKey the address that the request counts for; absent: it counts for itself
   * @param goesOn whether a request goes on that had a turn already: it precedes others of its address
   */
  waitForTurn(clientKey: ClientKey | undefined, goesOn = false): Promise<void> | undefined {
    const quotaKey = clientKey ?? Symbol('local request');
    if (!this.#isTaken) {
      this.#begin(quotaKey);
      return undefined;
    }
    return new Promise((resolve) => {
      const queue = this.#waiting.get(quotaKey) ?? [];
      if (goesOn) queue.unshift(resolve);
      else queue.push(resolve);
      this.#waiting.set(quotaKey, queue);
    });
  }

  #begin(quotaKey: ClientKey | symbol): void {
    this.#isTaken = true;
    const startMs = this.#now();
    this.#afterTurn(() => {
      if (typeof quotaKey === 'string') this.#count(quotaKey, startMs);
      this.#isTaken = false;
      this.#next();
    });
  }

  #count(quotaKey: ClientKey, startMs: number): void {
    const nowMs = this.#now();
    if (nowMs - this.#periodStartMs > PERIOD_MS) {
      this.#usedBefore = this.#used;
      this.#used = new Counter();
      this.#periodStartMs = nowMs;
    }
    this.#used.add(quotaKey, nowMs - startMs);
  }

  #next(): void {
    let [chosen, leastMs]: [ClientKey | symbol | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    let compared = 0;
    for (const quotaKey of this.#waiting.keys()) {
      const usedMs = this.#used.get(quotaKey) + this.#usedBefore.get(quotaKey);
      if (usedMs < leastMs) [chosen, leastMs] = [quotaKey, usedMs];
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

/** Requests begin one after the other for this long. Then the event loop comes first, with what other clients sent. */
const MAX_ROUND_MS = 1;

/**
 * Waits until everything that was ready has run, and after the end of a round until the event loop has received what
 * clients sent in the meantime.
 */
function withinRounds(now: () => number): AfterTurn {
  let roundStartMs = Number.NEGATIVE_INFINITY;
  /** Whether the request that begins now does so after the poll phase, in which Node receives data. */
  let isAfterPoll = false;
  return (next) => {
    const wasAfterPoll = isAfterPoll;
    const begin = (afterPoll: boolean) => {
      isAfterPoll = afterPoll;
      next();
      isAfterPoll = false;
    };
    const startRound = () => {
      roundStartMs = now();
      begin(true);
    };
    const goOn = () => {
      if (now() - roundStartMs < MAX_ROUND_MS) begin(wasAfterPoll);
      // During the poll phase, the next immediate precedes what arrives from now on.
      else setImmediate(wasAfterPoll ? startRound : () => setImmediate(startRound));
    };
    // A tick that is set in a microtask runs after all other microtasks.
    queueMicrotask(() => process.nextTick(goOn));
  };
}
