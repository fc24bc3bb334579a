import type { PlantedFault } from './course.js';
import { walk } from './walk.js';

/** What was done until the first violation. */
interface Fuzzed {
  readonly actions: number;
  readonly violation: string | undefined;
}

/** Walks with one seed after the other, until `actions` logins and refreshes have succeeded. */
export async function fuzzProviders(actions: number, plant?: PlantedFault, firstSeed = 1): Promise<Fuzzed> {
  let done = 0;
  for (let seed = firstSeed; done < actions; seed++) {
    const { logins, refreshes, violation } = await walk(seed, plant);
    done += logins + refreshes;
    if (violation) return { actions: done, violation };
  }
  return { actions: done, violation: undefined };
}
