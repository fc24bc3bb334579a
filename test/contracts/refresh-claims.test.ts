import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { ModelledEngine } from '../support/modelled-engine.js';
import { NodeClock } from '../support/node-clock.js';
import { withoutForeignClaims } from '../support/planted-claims.js';
import { SeededRandom } from '../support/seeded-random.js';
import { claimedSends, describeRefreshClaims, forbiddenIn, type Send } from './refresh-claims-contract.js';

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

describe('refresh claims at two nodes of an engine that is late, reorders and loses messages', () => {
  it('let one refresh send at a time, and the next one know that it may be a repetition [security 17, 20, 52]', async () => {
    const all: Send[] = [];
    for (let seed = 1; seed <= 20; seed++) {
      const sends = await claimedSends(seed);
      expect(forbiddenIn(sends)).toEqual([]);
      all.push(...sends);
    }
    const [ambiguous, first] = [true, false].map((kind) =>
      all.filter(({ isAmbiguous }) => isAmbiguous === kind),
    );
    for (const sends of [ambiguous, first]) expect(sends?.length).toBeGreaterThan(20);
  });

  it('would not if a claim was ignored by others', async () => {
    const sends = await claimedSends(1, { wrapRegistry: withoutForeignClaims });
    expect(forbiddenIn(sends)).not.toEqual([]);
  });
});
