import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { Engine } from '../../packages/sessions/src/store/redis/engine.js';
import { RedisAttemptStore } from '../../packages/sessions/src/store/redis/redis-attempt-store.js';
import { RedisRates } from '../../packages/sessions/src/store/redis/redis-rates.js';
import { RedisSessionStore } from '../../packages/sessions/src/store/redis/redis-session-store.js';
import { SealedValues } from '../../packages/sessions/src/store/redis/sealed-values.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { KeyRing } from '../../packages/sessions/src/vault/key-ring.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { MODELLED_NOW, ModelledRedis } from '../support/redis-model/modelled-redis.js';
import { describeAttemptStore } from './attempt-store-contract.js';
import { describeRates } from './rates-contract.js';
import { describeSessionStore } from './session-store-contract.js';

/**
 * The scripts of the stores on an engine in this process: it is a model of the real one as far as both pass the same
 * tests.
 */
function setUp() {
  const clock = new VirtualClock();
  const redis = new ModelledRedis({ now: () => clock.now() });
  const engine = new Engine({
    commands: { callBuffer: async (...command) => redis.run(...command) },
    clock,
    prefix: '{test}',
    now: MODELLED_NOW,
    timers: clock,
  });
  const ring = new KeyRing([{ id: 'a', bytes: systemRandom(32) }], systemRandom);
  return { clock, engine, values: new SealedValues(ring, new KeyHierarchy(systemRandom(32))) };
}

describeSessionStore('of a modelled Redis', () => {
  const { clock, engine, values } = setUp();
  const present = new Set<SessionRef>();
  return {
    store: new RedisSessionStore({ engine, values, isPresent: (ref) => present.has(ref) }),
    now: () => clock.now(),
    advance: (ms) => clock.advance(ms),
    settle: async (answer) => answer,
    present,
  };
});

describeAttemptStore('of a modelled Redis', () => {
  const { clock, engine, values } = setUp();
  return { clock, store: new RedisAttemptStore({ engine, values }) };
});

describeRates('a modelled Redis', () => {
  const { clock, engine, values } = setUp();
  return { clock, rates: new RedisRates({ engine, values }) };
});
