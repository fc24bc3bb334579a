import { eventually } from '../support/journal.js';
import type { SeededRandom } from '../support/seeded-random.js';
import type { ChaosCluster, ChaosNode } from './cluster.js';
import type { Fault, FaultKind, Ledger } from './ledger.js';
import { pause } from './wire.js';

export interface ScheduleOptions {
  readonly cluster: ChaosCluster;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  /** The requests that are answered between two faults. */
  readonly answersBetween: number;
  /** Whether the run is over: no further fault begins. */
  readonly isOver: () => boolean;
  readonly log: (line: string) => void;
}

/** The requests that a paused node leaves unanswered until the load balancer takes it out. */
const UNANSWERED = 3;
const MAX_CUTS = 5;
const MAX_DELAYS = 60;
/** Below the deadline of a request to the engine, which is a second. */
const MAX_DELAY_MS = 300;

/** Every kind, those with few consequences more than once. */
const DECK: readonly Exclude<FaultKind, 'server paused'>[] = [
  'server killed',
  'engine connections cut',
  'engine connections delayed',
  'engine paused',
  'server killed',
  'engine connections silent',
  'engine connections cut',
  'engine emptied',
];

/**
 * Breaks one thing after the other, in an order that depends on the seed, while servers are paused one after the
 * other beside that. A fault begins after a number of answered requests, and ends by an event.
 */
export class FaultSchedule {
  readonly #options: ScheduleOptions;
  /** The node that has a fault. */
  #broken: ChaosNode | undefined;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    await Promise.all([this.#breakInTurn(), this.#pauseInTurn()]);
  }

  async #breakInTurn(): Promise<void> {
    const { random, cluster, isOver } = this.#options;
    let deck: (typeof DECK)[number][] = [];
    while (await this.#answers(this.#options.answersBetween)) {
      if (deck.length === 0) deck = [...DECK];
      const [kind] = deck.splice(random.below(deck.length), 1);
      if (!kind || isOver()) return;
      const node = random.pick(cluster.active);
      if (kind === 'engine paused') await this.#during({ kind }, () => this.#pauseEngine());
      else if (kind === 'engine emptied') await this.#during({ kind }, () => this.#emptyEngine());
      else {
        this.#broken = node;
        await this.#during({ kind, node: node.name }, () => this.#breakNode(kind, node));
        this.#broken = undefined;
      }
    }
  }

  /** Each pause is longer than every lease: until other nodes have refreshed each login, or have tried to. */
  async #pauseInTurn(): Promise<void> {
    const { random, cluster, ledger } = this.#options;
    while (await this.#answers(2 * this.#options.answersBetween)) {
      const node = random.pick(cluster.nodes.filter((each) => each !== this.#broken));
      await this.#during({ kind: 'server paused', node: node.name }, async ({ fromMs }) => {
        cluster.pause(node);
        await eventually('requests without an answer', async () => {
          return cluster.balancer.waiting(node.name) >= UNANSWERED || undefined;
        });
        cluster.balancer.takeOut(node.name);
        const isPassed = async () => ledger.notRefreshedSince(fromMs).length === 0 || undefined;
        await eventually('others to refresh the logins', isPassed).catch(() => {
          const left = ledger.notRefreshedSince(fromMs).map((login) => ledger.describe(login));
          ledger.violated(`no other server has refreshed ${left.join(', ')}`);
        });
        cluster.resume(node);
        await cluster.readiness(() => [node], 200);
        cluster.balancer.putBack(node.name);
        node.isPaused = false;
        await cluster.recovery(() => [node]);
      });
    }
  }

  async #breakNode(kind: FaultKind, node: ChaosNode): Promise<void> {
    const { cluster, random } = this.#options;
    switch (kind) {
      case 'server killed':
        await cluster.kill(node);
        await this.#answers(random.below(2 * this.#options.answersBetween), () => false);
        await cluster.restart(node);
        break;
      case 'engine connections cut':
        for (let cuts = 1 + random.below(MAX_CUTS); cuts > 0; cuts--) {
          node.proxy.cut(random.pick(['FIN', 'RST']));
          await this.#answers(random.below(this.#options.answersBetween / 2), () => false);
        }
        break;
      case 'engine connections silent':
        node.proxy.goSilent();
        break;
      case 'engine connections delayed':
        for (let delays = 1 + random.below(MAX_DELAYS); delays > 0; delays--) {
          node.proxy.buffer();
          await pause(random.below(MAX_DELAY_MS));
          node.proxy.flush();
        }
        break;
      default:
    }
    await cluster.recovery(() => [node]);
  }

  async #pauseEngine(): Promise<void> {
    const { cluster } = this.#options;
    cluster.pauseEngine();
    await cluster.readiness(() => cluster.active, 503);
    cluster.resumeEngine();
    await cluster.recovery(() => cluster.active);
  }

  async #emptyEngine(): Promise<void> {
    const { cluster, ledger } = this.#options;
    await cluster.dumpEngine();
    const written = await cluster.endEngine();
    if (written.length > 0) ledger.violated(`the engine has written ${written.join(', ')}`);
    await cluster.readiness(() => cluster.active, 503);
    await cluster.startEngine();
    await cluster.recovery(() => cluster.active);
  }

  async #during(what: Pick<Fault, 'kind' | 'node'>, act: (fault: Fault) => Promise<void>): Promise<void> {
    const { ledger, log } = this.#options;
    const name = [what.kind, what.node].filter(Boolean).join(' ');
    const fault = ledger.began(what);
    log(`${name} …`);
    await act(fault);
    ledger.isOver(fault);
    log(`${name}: over after ${(((fault.toMs ?? 0) - fault.fromMs) / 1000).toFixed(1)} s`);
  }

  /** Waits until requests were answered. @returns whether the run goes on */
  async #answers(count: number, isOver: () => boolean = this.#options.isOver): Promise<boolean> {
    const { balancer } = this.#options.cluster;
    const wanted = balancer.answered() + count;
    await eventually(`${count} answers`, async () => balancer.answered() >= wanted || isOver() || undefined);
    return !isOver();
  }
}
