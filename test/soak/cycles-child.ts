/** Runs sessions on a virtual clock, in batches, in a process of its own. */
import { queryObjects } from 'node:v8';
import { z } from 'zod';
import { Secret } from '../../packages/sessions/src/vault/secret.js';
import { answerParent, collectGarbage } from '../support/answer-parent.js';
import { SessionBench } from '../support/session-bench.js';
import { countEntries } from './collections.js';
import type { Held, Left } from './cycles.js';
import { LIVES, troubleOf } from './lives.js';

const SECOND_MS = 1000;
const HOUR_MS = 60 * 60 * SECOND_MS;
/** Longer than any session lives. */
const BATCH_MS = 40 * HOUR_MS;
/** The number of concurrent sessions. Leaked sessions would soon exceed the capacity. */
const BATCH = 10 * LIVES.length;

// Counting objects is experimental. All other warnings are shown.
process.removeAllListeners('warning');
process.on('warning', (warning) => warning.name === 'ExperimentalWarning' || console.error(warning));

const abortControllersAtStart = countObjects(AbortController);
const handlesAtStart = process.getActiveResourcesInfo();
const ends = new Map<string, number>();
const bench: SessionBench = new SessionBench({
  scheduler: true,
  maxSessions: 2 * BATCH,
  async refreshTokens(provider, refreshToken, beforeSend) {
    return troubleOf(refreshToken.reveal()) ?? bench.provider.refresh(provider, refreshToken, beforeSend);
  },
  listener(event) {
    if (event.type !== 'session.ended' && event.type !== 'session.signed_out') return;
    const end = `${event.type === 'session.ended' ? 'ended' : 'signed out'}: ${event.reason}`;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  },
});
let lived = 0;

answerParent({
  /** Runs sessions until this number has ended, and reports the memory. */
  async liveUntil(argument): Promise<Held> {
    const cycles = z.number().parse(argument);
    while (lived < cycles) await liveOneBatch(Math.min(BATCH, cycles - lived));
    await collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return { bytes: heapUsed + external, entries: countEntries() };
  },
  ends: () => [...ends],
  left: async (): Promise<Left> => ({
    sessions: bench.registry.localSize,
    records: await bench.sessionCount(),
    deadlines: bench.deadlines.size,
    timers: bench.clock.timers,
    secrets: countObjects(Secret),
    'abort controllers': countObjects(AbortController) - abortControllersAtStart,
    handles: process.getActiveResourcesInfo().length - handlesAtStart.length,
    errors: bench.errors.length,
  }),
});

async function liveOneBatch(size: number): Promise<void> {
  const lives = Array.from({ length: size }, (_, index) => {
    const live = LIVES[(lived + index) % LIVES.length];
    return live?.(bench, `user${lived + index}`);
  });
  let isLived = false;
  const living = Promise.all(lives).finally(() => {
    isLived = true;
  });
  // Refreshes without a response end after their timeout.
  while (!isLived) await bench.clock.advance(SECOND_MS);
  const refs = await living;
  await bench.clock.advance(BATCH_MS);
  for (const ref of refs) {
    if (ref && (await bench.registry.get(ref))) throw new Error('A session has not come to its end.');
  }
  lived += size;
  // The bench records events, which are not part of the measurement.
  bench.events.length = 0;
  bench.provider.presented.length = 0;
  bench.provider.revoked.length = 0;
}

function countObjects(type: typeof AbortController | typeof Secret): number {
  return queryObjects(type, { format: 'count' });
}
