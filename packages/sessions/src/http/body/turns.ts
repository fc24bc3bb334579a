import type { Peer } from '../../limits/client-key.js';

/** The number of clients among which the next one is chosen, so that choosing takes little time. */
const MOST_COMPARED = 64;

/** Ends the turn, once what began in it has run as far as it can. */
type AfterTurn = (next: () => void) => void;

export interface TurnsOptions {
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
export class Turns {
  readonly #now: () => number;
  readonly #afterTurn: AfterTurn;
  readonly #waiting = new Map<Peer | symbol, (() => void)[]>();
  /** The milliseconds that addresses have used, in this period of a second and in the one before. */
  #used = new Map<Peer | symbol, number>();
  #usedBefore = new Map<Peer | symbol, number>();
  #periodBeganMs: number;
  #isTaken = false;

  constructor({ now, afterTurn = (next) => void setImmediate(next) }: TurnsOptions) {
    this.#now = now;
    this.#afterTurn = afterTurn;
    this.#periodBeganMs = now();
  }

  /**
   * Resolves when a request may begin.
   * @param peer the address that it counts for; absent: it counts for itself
   */
  async take(peer: Peer | undefined): Promise<void> {
    const holder = peer ?? Symbol('request of this machine');
    if (this.#isTaken) {
      await new Promise<void>((resolve) => {
        const queue = this.#waiting.get(holder) ?? [];
        queue.push(resolve);
        this.#waiting.set(holder, queue);
      });
    } else this.#begin(holder);
  }

  #begin(holder: Peer | symbol): void {
    this.#isTaken = true;
    const beganMs = this.#now();
    this.#afterTurn(() => {
      if (typeof holder === 'string') this.#count(holder, beganMs);
      this.#isTaken = false;
      this.#next();
    });
  }

  #count(holder: Peer, beganMs: number): void {
    const nowMs = this.#now();
    if (nowMs - this.#periodBeganMs > 1000) {
      this.#usedBefore = this.#used;
      this.#used = new Map();
      this.#periodBeganMs = nowMs;
    }
    this.#used.set(holder, (this.#used.get(holder) ?? 0) + nowMs - beganMs);
  }

  #next(): void {
    let [chosen, least]: [Peer | symbol | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    let compared = 0;
    for (const holder of this.#waiting.keys()) {
      const used = (this.#used.get(holder) ?? 0) + (this.#usedBefore.get(holder) ?? 0);
      if (used < least) [chosen, least] = [holder, used];
      if (++compared === MOST_COMPARED) break;
    }
    if (chosen === undefined) return;
    const queue = this.#waiting.get(chosen);
    const resolve = queue?.shift();
    if (!queue?.length) this.#waiting.delete(chosen);
    this.#begin(chosen);
    resolve?.();
  }
}
