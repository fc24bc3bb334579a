import { MapSessionStore } from '../../packages/sessions/src/store/map-session-store.js';
import { SeededRandom } from '../support/seeded-random.js';
import { UnreliableSessionStore } from '../support/unreliable-session-store.js';
import { describeSessionStore } from './session-store-contract.js';

describeSessionStore('of a Map', () => new MapSessionStore());

describeSessionStore('that is slow and reorders', () => {
  const random = new SeededRandom(1);
  const travel = async () => {
    for (let turns = random.below(5); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve));
  };
  return new UnreliableSessionStore(new MapSessionStore(), travel);
});
