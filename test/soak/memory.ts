import { z } from 'zod';
import { textTable } from '../hygiene/text-table.js';
import { WorkerProcess } from '../support/worker-process.js';
import type { Expectation } from './expectation.js';
import { LoadClient } from './load-client.js';

export interface MemoryOptions {
  /** The numbers of sessions at which memory is measured. */
  readonly counts: readonly [number, number, number];
  /** The allowed difference of the memory for a session between the first two and the last two numbers. */
  readonly maxDeviation: number;
  /** Whether resident memory is checked. With a few hundred sessions its steps are too large, so it is only reported. */
  readonly checksResidentMemory: boolean;
  /** The share of the sessions' memory that may remain after they end. */
  readonly maxLeft: number;
}

const footprintSchema = z.object({
  sessions: z.number(),
  /** Resident memory, including garbage. */
  uncollected: z.number(),
  rss: z.number(),
  heap: z.number(),
  external: z.number(),
});
/** The memory of a server, in bytes. `external` is memory of V8 outside of its heap, including array buffers. */
export type Footprint = z.infer<typeof footprintSchema>;

/** Without this flag, fragmented pages change resident memory by more than thousands of sessions need. */
const COMPACTS = '--compact-on-every-full-gc';
/** The time for the server to end after all sessions have ended. */
const EXIT_TIMEOUT_MS = 120_000;

/** Measures a server over HTTP while sessions log in, and after they have ended. */
export async function soakMemory(options: MemoryOptions): Promise<Expectation[]> {
  const { counts, maxDeviation, checksResidentMemory, maxLeft } = options;
  const provider = new WorkerProcess(new URL('./provider-child.js', import.meta.url));
  const server = new WorkerProcess(new URL('./server-child.js', import.meta.url), [COMPACTS]);
  try {
    const issuer = await provider.ask('start', undefined, z.string());
    const mcp = await server.ask('start', { issuer, maxSessions: 2 * counts[2] }, z.string());
    const client = new LoadClient(mcp);
    const measure = async (count: number) => {
      const footprint = await server.ask('footprint', undefined, footprintSchema);
      if (footprint.sessions === count) return footprint;
      throw new Error(`The server holds ${footprint.sessions} sessions instead of ${count}.`);
    };
    const addUntil = async (count: number, before: number) => {
      await client.add(count - before);
      return measure(count);
    };
    const few = await addUntil(counts[0], 0);
    const more = await addUntil(counts[1], counts[0]);
    const many = await addUntil(counts[2], counts[1]);
    client.close();
    await server.ask('close');
    const none = await measure(0);
    const ending = await server.release(EXIT_TIMEOUT_MS);

    console.log('\nA server with logged-in 2025 connections, each with 2 KiB of tokens:\n');
    console.log(
      textTable([
        ['', 'RSS, uncollected', 'RSS', 'heap', 'external'],
        ...[few, more, many, none].map(footprintRow),
      ]),
    );
    const first = perSession(few, more);
    const second = perSession(more, many);
    const range = (from: Footprint, to: Footprint) => `from ${from.sessions} to ${to.sessions}`;
    console.log('\nBytes a session:\n');
    console.log(
      textTable([
        ['', 'RSS', 'heap and external'],
        [range(few, more), `${first.rss}`, `${first.held}`],
        [range(more, many), `${second.rss}`, `${second.held}`],
      ]),
    );
    const left = (held(none) - held(few)) / (held(many) - held(few));
    const within = `within ${percent(maxDeviation)}`;
    return [
      [`heap and external memory per session agree ${within}`, agree(first.held, second.held, maxDeviation)],
      ...(checksResidentMemory
        ? [
            [
              `resident memory per session agrees ${within}`,
              agree(first.rss, second.rss, maxDeviation),
            ] as const,
          ]
        : []),
      [`at most ${percent(maxLeft)} of it is held when all have ended`, left <= maxLeft],
      ['the server ends by itself', ending?.code === 0],
    ];
  } finally {
    await server.kill();
    await provider.kill();
  }
}

function held({ heap, external }: Footprint): number {
  return heap + external;
}

function perSession(from: Footprint, to: Footprint): { rss: number; held: number } {
  const sessions = to.sessions - from.sessions;
  return {
    rss: Math.round((to.rss - from.rss) / sessions),
    held: Math.round((held(to) - held(from)) / sessions),
  };
}

function agree(one: number, other: number, maxDeviation: number): boolean {
  return Math.abs(one - other) <= maxDeviation * Math.max(one, other);
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function footprintRow({ sessions, uncollected, rss, heap, external }: Footprint): string[] {
  const mebibytes = [uncollected, rss, heap, external].map(
    (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`,
  );
  return [sessions === 0 ? 'all ended' : `${sessions} sessions`, ...mebibytes];
}
