import type { ClientKey } from '../../limits/client-key.js';
import { Counter } from '../../limits/counter.js';
import { type Linked, LinkedList } from '../../limits/linked-list.js';

/** The maximum number of clients that are compared to choose the next one, so that the choice takes little time. */
const MAX_COMPARED = 64;
const PERIOD_MS = 1000;

/** Calls `next` when the request of this turn has run as far as it can. */
type AfterTurn = (next: () => void) => void;

/** A client whose requests wait. */
interface WaitingClient extends Linked<WaitingClient> {
  /** Absent: the client of one request. */
  readonly clientKey: ClientKey | undefined;
  readonly requests: (() => void)[];
}

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
  /** The clients whose requests wait, in the order in which they began to wait. */
  readonly #waiting = new LinkedList<WaitingClient>();
  readonly #byKey = new Map<ClientKey, WaitingClient>();
  /** The milliseconds that addresses have used, in the current period and in the previous one. */
  #used = new Counter<ClientKey>();
  #usedBefore = new Counter<ClientKey>();
  #periodStartMs: number;
  #isTaken = false;

  constructor({ now, afterTurn = withinRounds(now) }: RequestSchedulerOptions) {
    this.#now = now;
    this.#afterTurn = afterTurn;
    this.#periodStartMs = now();
  }

  /** The number of requests that wait. Counts the clients, so it is for metrics only. */
  get waiting(): number {
    let waiting = 0;
    for (let client = this.#waiting.first; client; client = client.next) waiting += client.requests.length;
    return waiting;
  }

  /**
   * Resolves when a request may start; `undefined` if it starts at once.
   * @param clientKey the address that the request counts for; absent: it counts for itself
   * @param goesOn whether a request goes on that had a turn already: it precedes others of its address
   */
  waitForTurn(clientKey: ClientKey | undefined, goesOn = false): Promise<void> | undefined {
    if (!this.#isTaken) {
      this.#begin(clientKey);
      return undefined;
    }
    return new Promise((resolve) => {
      const { requests } = this.#waitingOf(clientKey);
      if (goesOn) requests.unshift(resolve);
      else requests.push(resolve);
    });
  }

  #waitingOf(clientKey: ClientKey | undefined): WaitingClient {
    const known = clientKey === undefined ? undefined : this.#byKey.get(clientKey);
    if (known) return known;
    const client: WaitingClient = { clientKey, requests: [], previous: undefined, next: undefined };
    this.#waiting.add(client);
    if (clientKey !== undefined) this.#byKey.set(clientKey, client);
    return client;
  }

  #begin(clientKey: ClientKey | undefined): void {
    this.#isTaken = true;
    const startMs = this.#now();
    this.#afterTurn(() => {
      if (clientKey !== undefined) this.#count(clientKey, startMs);
      this.#isTaken = false;
      this.#next();
    });
  }

  #count(clientKey: ClientKey, startMs: number): void {
    const nowMs = this.#now();
    if (nowMs - this.#periodStartMs > PERIOD_MS) {
      this.#usedBefore = this.#used;
      this.#used = new Counter();
      this.#periodStartMs = nowMs;
    }
    this.#used.add(clientKey, nowMs - startMs);
  }

  #next(): void {
    let [chosen, leastMs]: [WaitingClient | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    let compared = 0;
    for (let client = this.#waiting.first; client && leastMs > 0; client = client.next) {
      const usedMs = this.#usedBy(client);
      if (usedMs < leastMs) [chosen, leastMs] = [client, usedMs];
      if (++compared === MAX_COMPARED) break;
    }
    if (!chosen) return;
    const { clientKey, requests } = chosen;
    const resolve = requests.shift();
    if (requests.length === 0) {
      this.#waiting.remove(chosen);
      if (clientKey !== undefined) this.#byKey.delete(clientKey);
    }
    this.#begin(clientKey);
    resolve?.();
  }

  #usedBy({ clientKey }: WaitingClient): number {
    return clientKey === undefined ? 0 : this.#used.get(clientKey) + this.#usedBefore.get(clientKey);
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
