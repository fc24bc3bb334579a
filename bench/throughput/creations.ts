import type { Clients } from '../load/clients.js';
import { type BenchOptions, isSelected } from '../options.js';
import type { Progress } from '../report/progress.js';
import { FASTMCP, PRODUCTS, SDK_V1, SDK_V2, type ServerKind } from '../servers/kinds.js';
import { RunningServer } from '../servers/running-server.js';

/** One round of new sessions, in each of which a client initializes and calls once. */
interface CreationRound {
  readonly perSecond: number;
  /** The CPU time of the server's process for each session, in microseconds. */
  readonly serverMicros: number;
}

export type CreationRounds = ReadonlyMap<ServerKind, readonly CreationRound[]>;

const KINDS: readonly ServerKind[] = [SDK_V2, SDK_V1, FASTMCP, PRODUCTS['2025']];
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 1;

export function creationKinds(options: BenchOptions): ServerKind[] {
  return KINDS.filter(({ name }) => isSelected(options, `create-${name}`));
}

export function creationSteps(kinds: readonly ServerKind[], { rounds }: BenchOptions): number {
  return kinds.length * (rounds + 1);
}

/** Measures new sessions, in interleaved rounds. After each round, its sessions are closed. */
export async function measureCreations(
  kinds: readonly ServerKind[],
  options: BenchOptions,
  clients: Clients,
  progress: Progress,
): Promise<CreationRounds> {
  const servers = new Map<ServerKind, RunningServer>();
  const rounds = new Map<ServerKind, CreationRound[]>(kinds.map((kind) => [kind, []]));
  const measure = async (server: RunningServer, seconds: number): Promise<CreationRound> => {
    const startedMicros = await server.cpuMicros();
    const created = await clients.create(server.url, { seconds, connections: CONNECTIONS });
    const serverMicros = ((await server.cpuMicros()) - startedMicros) / created.sessions;
    await clients.closeCreated(server.url);
    return { perSecond: created.sessions / created.seconds, serverMicros };
  };
  try {
    for (const kind of kinds) {
      progress.step('new sessions', kind.name);
      const server = await RunningServer.start(kind, { sessions: 1, flags: options.flags });
      servers.set(kind, server);
      await measure(server, WARM_UP_SECONDS);
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const [kind, server] of servers) {
        progress.step('new sessions', kind.name);
        rounds.get(kind)?.push(await measure(server, options.seconds));
      }
    }
    return rounds;
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()));
  }
}
