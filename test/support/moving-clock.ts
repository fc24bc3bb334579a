import type { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { countWebCrypto } from './web-crypto.js';

/** How many idle turns of the event loop other work gets before the clock goes on, and how far it goes then. */
const MAX_TURNS = 200;
const PAUSE_MS = 500;

const runningCrypto = countWebCrypto();

/**
 * Lets a virtual clock go on while `work` waits for it. The server pauses for random times, so a test cannot know that
 * no pause is left at the time to which it has advanced the clock.
 */
export async function whileClockMoves<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  over.catch(() => undefined);
  while (!isOver) {
    for (let turn = 0; turn < MAX_TURNS && !isOver; turn += runningCrypto() > 0 ? 0 : 1)
      await new Promise((resolve) => setImmediate(resolve));
    if (!isOver) await clock.advance(PAUSE_MS);
  }
  return over;
}
