import { z } from 'zod';
import { WorkerProcess } from '../../test/support/worker-process.js';
import { pin } from '../processors.js';
import { markdownTable } from '../report/markdown.js';
import type { Progress } from '../report/progress.js';
import { short, spreadOf, whole } from '../report/statistics.js';
import { PRODUCTS } from '../servers/kinds.js';
import { CLIENT_PROCESSOR, RunningServer } from '../servers/running-server.js';

const FIRST_SESSIONS = 1000;
/** The sessions that are added in one step. */
const STEP_SESSIONS = 50_000;
const COLLECTIONS = 3;
/** How long sessions come and go. */
const REPLACING_SECONDS = 5;
const LARGE_HEAP = '--max-old-space-size=16384';
const GIB = 1024 ** 3;

const replacedSchema = z.object({ replaced: z.number(), wallMs: z.number(), cpuMs: z.number() });

/** The number of steps of `Progress` that `manySessions` takes. */
export function manySteps(count: number): number {
  return Math.ceil((count - FIRST_SESSIONS) / STEP_SESSIONS) + 2;
}

/**
 * Measures many sessions of the 2026 revision in one process, each logged in by the commit that ends every login. The
 * provider is a stub, which revokes the tokens of the sessions that go.
 */
export async function manySessions(
  count: number,
  flags: readonly string[],
  progress: Progress,
): Promise<string> {
  const provider = new WorkerProcess(new URL('../refresh/provider-child.js', import.meta.url));
  pin(provider.pid, CLIENT_PROCESSOR);
  try {
    const issuer = await provider.ask('start', undefined, z.string());
    const server = await RunningServer.start(PRODUCTS['2026'], {
      sessions: count,
      issuer,
      flags: [LARGE_HEAP, ...flags],
    });
    try {
      await server.addHandles(FIRST_SESSIONS, async () => undefined);
      const few = await server.footprint();
      const startedMicros = await server.cpuMicros();
      for (let left = count - FIRST_SESSIONS; left > 0; left -= STEP_SESSIONS) {
        progress.step('adding logged-in sessions', `${whole(left)} left of ${whole(count)}`);
        await server.addHandles(Math.min(left, STEP_SESSIONS), async () => undefined);
      }
      const micros = ((await server.cpuMicros()) - startedMicros) / (count - FIRST_SESSIONS);
      const many = await server.footprint();
      progress.step('full collections', `${whole(count)} sessions`);
      const collections: number[] = [];
      for (let turn = 0; turn < COLLECTIONS; turn++)
        collections.push(await server.ask('collectMs', undefined, z.number()));
      progress.step('sessions come and go', `${whole(count)} sessions`);
      const { replaced, wallMs, cpuMs } = await server.ask('replace', REPLACING_SECONDS, replacedSchema);
      return markdownTable([
        ['', ''],
        ['RSS of the process', `${short(many.rss / GIB)} GiB`],
        ['RSS of one session', `${whole((many.rss - few.rss) / (count - FIRST_SESSIONS))} B`],
        ['heap of one session', `${whole((many.heap - few.heap) / (count - FIRST_SESSIONS))} B`],
        ['CPU to add a session and commit its login', `${short(micros)} µs`],
        ['full collection', `${short(spreadOf(collections).median)} ms`],
        [`sessions replaced in ${REPLACING_SECONDS} s`, whole(replaced)],
        ['longest stall of the event loop meanwhile', `${short(wallMs)} ms`],
        ['most CPU time in one stall', `${short(cpuMs)} ms`],
      ]);
    } finally {
      await server.stop();
    }
  } finally {
    await provider.kill();
  }
}
