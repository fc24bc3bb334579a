import { type SimulationOptions, simulate } from './simulate.js';
import type { PlantedParts } from './world.js';

/** Simulates one seed after the other until an invariant is violated. @returns the violation with its seed and step */
export async function firstViolation(
  seeds: number,
  planted?: PlantedParts,
  options?: SimulationOptions,
): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation, violatedAtStep } = await simulate(seed, planted, options);
    if (violation) return `seed ${seed}, step ${violatedAtStep ?? 'the end'}: ${violation.message}`;
  }
  return undefined;
}
