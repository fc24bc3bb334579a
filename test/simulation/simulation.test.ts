import { describe, expect, it } from 'vitest';
import { plantedBugs } from './planted-bugs.js';
import { simulate } from './simulate.js';

const SEEDS = 200;
/** How many seeds a planted bug may stay unseen. */
const SEEDS_PER_BUG = 100;

describe('the lives of sessions', () => {
  it(`keep every promise in ${SEEDS} seeds [security 8, 10, 17, 19, 20, 21, 22, 34, 38, 42]`, {
    timeout: 120_000,
  }, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violation, violatedAtStep } = await simulate(seed);
      expect(violation, `seed ${seed}, step ${violatedAtStep ?? 'the end'}`).toBeUndefined();
    }
  });

  it('are the same again for the same seed', async () => {
    for (const seed of [1, 7, 11]) expect(await simulate(seed)).toEqual(await simulate(seed));
  });
});

describe('a simulation', () => {
  it.each(Object.entries(plantedBugs))('notices %s', { timeout: 60_000 }, async (_name, planted) => {
    const noticed = await firstViolation(planted);
    expect(noticed).toBeDefined();
  });
});

async function firstViolation(planted: Parameters<typeof simulate>[1]): Promise<string | undefined> {
  for (let seed = 1; seed <= SEEDS_PER_BUG; seed++) {
    const { violation } = await simulate(seed, planted);
    if (violation) return violation.message;
  }
  return undefined;
}
