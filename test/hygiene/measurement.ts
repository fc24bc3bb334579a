import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AskedProcess } from './asked-process.js';
import type { Findings } from './needles.js';
import { ProcessMemory } from './process-memory.js';
import type { Counts, Traces } from './traces.js';

/** Has the process write a heap snapshot, outside of the project, and counts what is in it. */
export async function countInHeapSnapshot<Kind extends string>(
  child: AskedProcess,
  traces: Traces<Kind>,
): Promise<Counts<Kind>> {
  const folder = mkdtempSync(join(tmpdir(), 'hygiene-'));
  try {
    const path = join(folder, 'of-the-child.heapsnapshot');
    await child.ask('snapshot', path);
    return traces.count(traces.needles.searchFile(path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Looks at the memory of the process once its garbage is collected. */
export async function lookIntoMemory<Kind extends string, Result>(
  child: AskedProcess,
  traces: Traces<Kind>,
  look: (found: Findings, memory: ProcessMemory) => Result,
): Promise<Result> {
  await child.ask('idle');
  return ProcessMemory.inspect(child.pid, (memory) => look(memory.search(traces.needles), memory));
}
