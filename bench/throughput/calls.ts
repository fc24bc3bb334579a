import type { Clients } from '../load/clients.js';
import type { CallFigures } from '../load/figures.js';
import type { BenchOptions } from '../options.js';
import type { Progress } from '../report/progress.js';
import { RunningServer } from '../servers/running-server.js';
import { type Case, OWN_TOOL_NAMES, serverKeyOf } from './cases.js';

/** One round of one case. */
export interface CallRound extends CallFigures {
  readonly perSecond: number;
  /** The CPU time of the server's process for each request, in microseconds. */
  readonly serverMicros: number;
}

export type CallRounds = ReadonlyMap<Case, readonly CallRound[]>;

const CONNECTIONS = 64;
/** The requests of a case before it is measured: after fewer, V8 still compiles and a request takes up to four times. */
const WARM_UP_REQUESTS = 4000;
const MAX_WARM_UP_SECONDS = 30;
/** From this number of sessions on, the default heap of V8 is too small. */
const MANY_SESSIONS = 20_000;
const LARGE_HEAP = '--max-old-space-size=16384';

/** The number of steps of `Progress` that `measureCalls` takes. */
export function callSteps(cases: readonly Case[], { rounds }: BenchOptions): number {
  return new Set(cases.map(serverKeyOf)).size + cases.length * (rounds + 1);
}

/** Measures all cases in turn, in each round: what else the machine does affects all alike. */
export async function measureCalls(
  cases: readonly Case[],
  options: BenchOptions,
  clients: Clients,
  progress: Progress,
): Promise<CallRounds> {
  const servers = new Map<string, RunningServer>();
  const rounds = new Map<Case, CallRound[]>(cases.map((each) => [each, []]));
  const measure = async (measured: Case, seconds: number): Promise<CallRound> => {
    const { kind, tool } = measured;
    const server = serverOf(servers, measured);
    const startedMicros = await server.cpuMicros();
    const load = { seconds, connections: CONNECTIONS };
    const figures = await clients.call({ url: server.url, era: kind.era, tool }, load);
    const usedMicros = (await server.cpuMicros()) - startedMicros;
    const { requests } = figures;
    return { ...figures, perSecond: requests / figures.seconds, serverMicros: usedMicros / requests };
  };
  try {
    for (const each of cases) {
      const key = serverKeyOf(each);
      if (servers.has(key)) continue;
      progress.step('starting servers and opening sessions', key);
      servers.set(key, await startServer(each, options, clients));
    }
    for (const each of cases) {
      progress.step('warming up', each.name);
      let left = WARM_UP_REQUESTS;
      for (let second = 0; left > 0 && second < MAX_WARM_UP_SECONDS; second++)
        left -= (await measure(each, 1)).requests;
    }
    for (let round = 0; round < options.rounds; round++) {
      // Forward and backward, so that no case always follows the same one.
      for (const each of round % 2 === 0 ? cases : [...cases].reverse()) {
        progress.step(`calls, round ${round + 1} of ${options.rounds}`, each.name);
        const measured = await measure(each, options.seconds);
        if (measured.requests === 0) throw new Error(`${each.name}: no answer within ${options.seconds} s.`);
        rounds.get(each)?.push(measured);
      }
    }
    return rounds;
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()));
  }
}

function serverOf(servers: ReadonlyMap<string, RunningServer>, measured: Case): RunningServer {
  const server = servers.get(serverKeyOf(measured));
  if (!server) throw new Error(`${measured.name} has no server.`);
  return server;
}

/** Starts a server and gives it its sessions. */
async function startServer(
  { kind, sessions }: Case,
  options: BenchOptions,
  clients: Clients,
): Promise<RunningServer> {
  const flags = [...options.flags, ...(sessions > MANY_SESSIONS ? [LARGE_HEAP] : [])];
  const server = await RunningServer.start(kind, {
    sessions,
    tools: OWN_TOOL_NAMES,
    flags,
    dispatch: options.dispatch,
  });
  try {
    if (kind.isOwn && kind.era === '2026')
      await server.addHandles(sessions, (ids) => clients.know(server.url, ids));
    else if (kind.hasSessions) await clients.open(server.url, sessions);
    if (kind.isOwn && kind.era === '2025') await server.logInConnections();
    return server;
  } catch (error) {
    await server.stop();
    throw new Error(`${kind.name} did not get its ${sessions} sessions.`, { cause: error });
  }
}
