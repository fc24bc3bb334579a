import { type SimulationOptions, simulate } from './simulate.js';
import type { PlantedParts } from './world.js';

interface FirstViolationOptions extends SimulationOptions {
  /** Whether a violation counts. Default: each does. */
  readonly isMeant?: (message: string) => boolean;
}

/** Simulates one seed after the other until an invariant is violated. @returns the violation with its seed and step */
export async function firstViolation(
  seeds: number,
  planted?: PlantedParts,
  { isMeant = () => true, ...options }: FirstViolationOptions = {},
): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation, violatedAtStep } = await simulate(seed, planted, options);
    if (violation && isMeant(violation.message))
      return `seed ${seed}, step ${violatedAtStep ?? 'the end'}: ${violation.message}`;
  }
  return undefined;
}
