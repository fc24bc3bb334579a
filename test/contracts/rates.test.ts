import { expect } from 'vitest';
import { MapRates } from '../../packages/sessions/src/store/map-rates.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { describeRates } from './rates-contract.js';

describeRates('a Map', () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => expect.unreachable(String(error)));
  return { clock, rates: new MapRates({ clock, deadlines }) };
});
