import type { Clients } from '../load/clients.js';
import type { Progress } from '../report/progress.js';
import type { RunningServer } from '../servers/running-server.js';
import type { BenchEngine } from './engine.js';
import type { Nodes } from './nodes.js';

/** One row: calls of a tool at some servers. */
export interface ClusterCase {
  readonly label: string;
  readonly tool: string;
  readonly servers: readonly RunningServer[];
  readonly hasEngine: boolean;
}

/** One round of one case. Times are in microseconds for each request. */
export interface ClusterRound {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly nodeMicros: number;
  readonly engineMicros: number;
  readonly engineCommands: number;
}

const CONNECTIONS = 64;
const WARM_UP_REQUESTS = 4000;
const MAX_WARM_UP_SECONDS = 10;
const TOOLS = [
  { tool: 'echo_logged_in', label: 'logged in' },
  { tool: 'echo_with_token', label: 'token opened' },
];

export function casesOf({ single, nodes }: Nodes): ClusterCase[] {
  return TOOLS.flatMap(({ tool, label }) => [
    { label: `1 server without an engine, ${label}`, tool, servers: [single], hasEngine: false },
    ...nodes.map((_, last) => ({
      label: `${last + 1} server${last === 0 ? '' : 's'} with an engine, ${label}`,
      tool,
      servers: nodes.slice(0, last + 1),
      hasEngine: true,
    })),
  ]);
}

/** Measures the cases in turn in each round, so that what else the machine does affects all alike. */
export class ClusterRounds {
  readonly #engine: BenchEngine;
  readonly #clients: Clients;
  readonly #cases: readonly ClusterCase[];

  constructor(engine: BenchEngine, clients: Clients, cases: readonly ClusterCase[]) {
    this.#engine = engine;
    this.#clients = clients;
    this.#cases = cases;
  }

  async warmUp(progress: Progress): Promise<void> {
    for (const each of this.#cases) {
      progress.step('warming up', each.label);
      let left = WARM_UP_REQUESTS;
      for (let second = 0; left > 0 && second < MAX_WARM_UP_SECONDS; second++)
        left -= (await this.#measure(each, 1)).perSecond;
    }
  }

  async run(rounds: number, seconds: number, progress: Progress) {
    const figures = new Map<ClusterCase, ClusterRound[]>(this.#cases.map((each) => [each, []]));
    for (let round = 0; round < rounds; round++) {
      // Forward and backward, so that no case always follows the same one.
      for (const each of round % 2 === 0 ? this.#cases : [...this.#cases].reverse()) {
        progress.step(`calls, round ${round + 1} of ${rounds}`, each.label);
        const measured = await this.#measure(each, seconds);
        if (measured.perSecond === 0) throw new Error(`${each.label}: no answer within ${seconds} s.`);
        figures.get(each)?.push(measured);
      }
    }
    return figures;
  }

  async #measure({ tool, servers }: ClusterCase, seconds: number): Promise<ClusterRound> {
    const microsOf = async () => {
      const micros = await Promise.all(servers.map((server) => server.cpuMicros()));
      return micros.reduce((sum, each) => sum + each, 0);
    };
    const [usage, micros] = [await this.#engine.usage(), await microsOf()];
    const urls = servers.map(({ url }) => url);
    const load = { seconds, connections: CONNECTIONS };
    const called = await this.#clients.callAll({ urls, era: '2026', tool }, load);
    const [nodeMicros, after] = [(await microsOf()) - micros, await this.#engine.usage()];
    const { requests, p99Ms } = called;
    return {
      perSecond: requests / called.seconds,
      p99Ms,
      nodeMicros: nodeMicros / requests,
      engineMicros: (after.cpuMicros - usage.cpuMicros) / requests,
      engineCommands: (after.commands - usage.commands) / requests,
    };
  }
}
