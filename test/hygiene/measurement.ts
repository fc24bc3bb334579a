import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkerProcess } from '../support/worker-process.js';
import type { Findings } from './needles.js';
import { ProcessMemory } from './process-memory.js';
import type { Counts, Traces } from './traces.js';

/** Makes the process write a heap snapshot outside of the project, and counts the secrets in it. */
export async function countInHeapSnapshot<Kind extends string>(
  child: WorkerProcess,
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

/** Searches the memory of the process after a garbage collection. */
export async function lookIntoMemory<Kind extends string, Result>(
  child: WorkerProcess,
  traces: Traces<Kind>,
  look: (found: Findings, memory: ProcessMemory) => Result,
): Promise<Result> {
  await child.ask('idle');
  return ProcessMemory.inspect(child.pid, (memory) => look(memory.search(traces.needles), memory));
}
