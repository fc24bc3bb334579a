import { z } from 'zod';
import { textTable } from '../hygiene/text-table.js';
import { WorkerProcess } from '../support/worker-process.js';
import type { Expectation } from './expectation.js';

/** The remaining objects of each kind after all sessions have ended. */
export type Left = Readonly<Record<string, number>>;

/** The progress at which memory is measured. The first part fills caches and tombstones. */
const STAGES = [0.1, 0.5, 1] as const;
/** The time for the process to end after the last request. */
const EXIT_TIMEOUT_MS = 120_000;

const heldSchema = z.object({ bytes: z.number(), entries: z.number() });
/** Heap and external memory, and the entries of all maps and sets. */
export type Held = z.infer<typeof heldSchema>;
const leftSchema = z.record(z.string(), z.number());
const endsSchema = z.array(z.tuple([z.string(), z.number()]));

/**
 * Sessions start and end in every possible way, on a virtual clock.
 * @param maxGrowthBytes the allowed growth from the first tenth to the end
 */
export async function soakCycles(cycles: number, maxGrowthBytes: number): Promise<Expectation[]> {
  const child = new WorkerProcess(new URL('./cycles-child.js', import.meta.url));
  try {
    const held: [number, Held][] = [];
    for (const stage of STAGES) {
      const cyclesSoFar = Math.round(stage * cycles);
      held.push([cyclesSoFar, await child.ask('liveUntil', cyclesSoFar, heldSchema)]);
    }
    const ends = await child.ask('ends', undefined, endsSchema);
    const left = await child.ask('left', undefined, leftSchema);
    const ending = await child.release(EXIT_TIMEOUT_MS);

    const growth = growthOf(held.map(([, { bytes }]) => bytes));
    const moreEntries = growthOf(held.map(([, { entries }]) => entries));
    console.log(`Held by ${cycles} cycles of create, log in and end:\n`);
    console.log(
      textTable([
        ['', 'heap and external', 'entries of maps and sets'],
        ...held.map(([done, { bytes, entries }]) => [`after ${done}`, kib(bytes), `${entries}`]),
        ['growth', kib(growth), `${moreEntries}`],
      ]),
    );
    console.log(`\n${textTable(ends.map(([end, count]) => [end, `${count}`]))}\n`);
    const leftovers = Object.entries(left).filter(([, count]) => count > 0);
    const names = leftovers.map(([name, count]) => `${count} ${name}`).join(', ');
    console.log(`Left of ${Object.keys(left).join(', ')}: ${names || 'nothing'}.`);
    return [
      [`memory grows by no more than ${kib(maxGrowthBytes)} in ${cycles} cycles`, growth <= maxGrowthBytes],
      ['no map and no set grows', moreEntries <= 0],
      ['nothing is left of sessions that have ended', leftovers.length === 0],
      ['the process of the cycles ends by itself', ending?.code === 0],
    ];
  } finally {
    await child.kill();
  }
}

function growthOf(values: readonly number[]): number {
  return (values.at(-1) ?? 0) - (values[0] ?? 0);
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}
