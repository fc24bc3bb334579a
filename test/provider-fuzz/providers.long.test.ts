import { describe, expect, it } from 'vitest';
import { fuzzProviders } from './fuzz-providers.js';
import { plantedFaults } from './planted-faults.js';

const HOUR_MS = 60 * 60_000;

/** `LOGINS` is the number of logins and refreshes. `SEED` repeats one walk, which a failure names. */
const { LOGINS = '10000', SEED } = process.env;

describe('providers with random quirks', () => {
  it(
    'lose no login that could be kept, and keep none that is dead [security 21, 48]',
    async () => {
      const fuzzed =
        SEED === undefined
          ? await fuzzProviders(Number(LOGINS))
          : await fuzzProviders(1, undefined, Number(SEED));
      expect(fuzzed.violation).toBeUndefined();
    },
    HOUR_MS,
  );
});

describe('the fuzz of providers', () => {
  it.each(Object.entries(plantedFaults))('notices %s', async (_name, planted) => {
    expect((await fuzzProviders(1000, planted)).violation).toMatch(planted.noticedAs);
  });
});
