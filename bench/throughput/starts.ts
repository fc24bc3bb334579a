import { type BenchOptions, isSelected } from '../options.js';
import type { Progress } from '../report/progress.js';
import {
  FASTMCP,
  FLOORS,
  PRODUCTS,
  SDK_V1,
  SDK_V2,
  SDK_V2_HANDLER,
  type ServerKind,
} from '../servers/kinds.js';
import { RunningServer } from '../servers/running-server.js';

/** One start of a server. */
interface StartRound {
  /** From the start of the process until the server listens. */
  readonly tookMs: number;
  readonly cpuMs: number;
}

export type StartRounds = ReadonlyMap<ServerKind, readonly StartRound[]>;

const KINDS: readonly ServerKind[] = [
  FLOORS['2025'],
  SDK_V2_HANDLER,
  SDK_V2,
  SDK_V1,
  FASTMCP,
  PRODUCTS['2026'],
];

export function startKinds(options: BenchOptions): ServerKind[] {
  return KINDS.filter(({ name }) => isSelected(options, `start-${name}`));
}

export function startSteps(kinds: readonly ServerKind[], { rounds }: BenchOptions): number {
  return kinds.length * rounds;
}

/** Starts the servers in turn. The first start of each, which reads its files from the disk, is not measured. */
export async function measureStarts(
  kinds: readonly ServerKind[],
  options: BenchOptions,
  progress: Progress,
): Promise<StartRounds> {
  const rounds = new Map<ServerKind, StartRound[]>(kinds.map((kind) => [kind, []]));
  for (const kind of kinds) await start(kind, options);
  for (let round = 0; round < options.rounds; round++) {
    for (const kind of kinds) {
      progress.step('starts', kind.name);
      rounds.get(kind)?.push(await start(kind, options));
    }
  }
  return rounds;
}

async function start(kind: ServerKind, { flags }: BenchOptions): Promise<StartRound> {
  const startedMs = performance.now();
  const server = await RunningServer.start(kind, { sessions: 1, flags });
  const tookMs = performance.now() - startedMs;
  const cpuMs = (await server.cpuMicros()) / 1000;
  await server.stop();
  return { tookMs, cpuMs };
}
