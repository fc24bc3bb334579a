import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { ModelledEngine } from '../support/modelled-engine.js';
import { NodeClock } from '../support/node-clock.js';
import { SeededRandom } from '../support/seeded-random.js';
import { describeRefreshClaims } from './refresh-claims-contract.js';

describeRefreshClaims('a Map', () => ({}));

describeRefreshClaims('an engine that is late', () => {
  const clock = new VirtualClock();
  const engine = new ModelledEngine({
    clock,
    random: new SeededRandom(2),
    delayMs: 100,
    losses: 0,
    copies: true,
  });
  const nodeClock = new NodeClock(clock);
  return {
    clock,
    nodeClock,
    createPorts: ({ isPresent }) => engine.portsOf(nodeClock, isPresent),
  };
});
