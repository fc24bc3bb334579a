import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { MaybePromise } from '../../packages/sessions/src/time/promises.js';

const STEP_MS = 25;
/** Ports settle within a second. */
const MAX_STEPS = 100;

/** The answer of a port. The clock advances until it has come: an answer that travels takes time on that clock. */
export async function answerOf<T>(clock: VirtualClock, answer: MaybePromise<T>): Promise<T> {
  if (!(answer instanceof Promise)) return answer;
  let isSettled = false;
  const settling = answer.finally(() => {
    isSettled = true;
  });
  settling.catch(() => undefined);
  await clock.advance(0);
  for (let step = 0; step < MAX_STEPS && !isSettled; step++) await clock.advance(STEP_MS);
  return settling;
}
