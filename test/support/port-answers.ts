import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { MaybePromise } from '../../packages/sessions/src/time/promises.js';

const STEP_MS = 25;
/** Ports settle within a second, and what takes several calls within some seconds. */
const MAX_STEPS = 400;

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

/** Calls that are made at the same time. More of them would only make a simulated clock slow. */
const BATCH = 200;

/** The answers to a call for each item, a few hundred of them at the same time. */
export async function answersInBatches<Item, T>(
  clock: VirtualClock,
  items: readonly Item[],
  call: (item: Item) => MaybePromise<T>,
): Promise<T[]> {
  const answers: T[] = [];
  for (let from = 0; from < items.length; from += BATCH)
    answers.push(...(await answerOf(clock, Promise.all(items.slice(from, from + BATCH).map(call)))));
  return answers;
}
