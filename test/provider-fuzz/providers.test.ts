import { describe, expect, it } from 'vitest';
import { fuzzProviders } from './fuzz-providers.js';
import { plantedFaults } from './planted-faults.js';
import { walk } from './walk.js';

describe('providers with random quirks', () => {
  it('lose no login that could be kept, and keep none that is dead, in 100 logins and refreshes [security 21, 48]', async () => {
    expect((await fuzzProviders(100)).violation).toBeUndefined();
  });

  it('do the same again for the same seed', async () => {
    expect(await walk(7)).toEqual(await walk(7));
  });
});

/** What one of the first walks shows. */
const EASILY_NOTICED = [
  'an outage that counts as a revoked grant',
  'a refresh that is repeated although the token is consumed',
  'a request to an API that never ends',
] as const;

describe('the fuzz of providers', () => {
  it.each(EASILY_NOTICED)('notices %s', async (name) => {
    const planted = plantedFaults[name];
    expect((await fuzzProviders(400, planted)).violation).toMatch(planted?.noticedAs ?? /^$/);
  });
});
