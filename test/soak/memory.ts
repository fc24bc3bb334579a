import { z } from 'zod';
import { AskedProcess } from '../hygiene/asked-process.js';
import { textTable } from '../hygiene/text-table.js';
import type { Expectation } from './expectation.js';
import { LoadClient } from './load-client.js';

export interface MemoryOptions {
  /** At how many logged-in sessions memory is looked at. */
  readonly counts: readonly [number, number, number];
  /** How far what a session takes may lie apart between the first two counts and the last two. */
  readonly maxDeviation: number;
  /** Resident memory moves in steps too large for a few hundred sessions; then it is only reported. */
  readonly judgesResident: boolean;
  /** How much of what the sessions took may still be held when they are gone. */
  readonly maxLeft: number;
}

const footprintSchema = z.object({
  sessions: z.number(),
  /** Resident memory with all that V8 has not collected yet. */
  uncollected: z.number(),
  rss: z.number(),
  heap: z.number(),
  external: z.number(),
});
/** What a server takes, in bytes. `external` is what V8 keeps outside of its heap, array buffers included. */
export type Footprint = z.infer<typeof footprintSchema>;

/** Without it, pages with gaps make resident memory jump by more than thousands of sessions take. */
const COMPACTS = '--compact-on-every-full-gc';
/** How long the server may take to end once every session is gone. */
const PATIENCE_MS = 120_000;

/** Measures a server over HTTP while it fills with logged-in sessions, and when they have ended. */
export async function soakMemory(options: MemoryOptions): Promise<Expectation[]> {
  const { counts, maxDeviation, judgesResident, maxLeft } = options;
  const provider = new AskedProcess(new URL('./provider-child.js', import.meta.url));
  const server = new AskedProcess(new URL('./server-child.js', import.meta.url), [COMPACTS]);
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
    const ending = await server.release(PATIENCE_MS);

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
      ...(judgesResident
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
