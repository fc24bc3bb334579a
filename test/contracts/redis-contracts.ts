import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { type Commands, Engine } from '../../packages/sessions/src/store/redis/engine.js';
import { RedisAttemptStore } from '../../packages/sessions/src/store/redis/redis-attempt-store.js';
import { RedisMessages } from '../../packages/sessions/src/store/redis/redis-messages.js';
import { RedisOneTimeStore } from '../../packages/sessions/src/store/redis/redis-one-time-store.js';
import { RedisRates } from '../../packages/sessions/src/store/redis/redis-rates.js';
import { RedisSessionStore } from '../../packages/sessions/src/store/redis/redis-session-store.js';
import { SealedValues } from '../../packages/sessions/src/store/redis/sealed-values.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { KeyRing } from '../../packages/sessions/src/vault/key-ring.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { RedisTime } from '../support/redis-time.js';
import { describeAttemptStore } from './attempt-store-contract.js';
import { describeContents, describeMessages } from './messages-contract.js';
import { describeOneTimeStore } from './one-time-store-contract.js';
import { describeRates } from './rates-contract.js';
import { describeSessionStore } from './session-store-contract.js';

/** The contracts of the ports, on a real engine. Each test has keys and a time of its own. */
export function describePortsOfRedis(): void {
  let server: RedisServer;
  let redis: Redis;
  let benches = 0;
  const open: Redis[] = [];

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    for (const each of [redis, ...open]) each.disconnect();
    await server.stop();
  });

  function setUp(delivered?: () => Promise<unknown>) {
    const prefix = `{test ${benches++}}`;
    const clock = new RedisTime(redis, prefix, delivered);
    const engine = new Engine({ commands: redis, clock, prefix, now: clock.lua, timers: new VirtualClock() });
    clock.engines.push(engine);
    const keys = new KeyHierarchy(systemRandom(32));
    const ring = new KeyRing([{ id: 'a', bytes: systemRandom(32) }], systemRandom);
    return { clock, engine, prefix, values: new SealedValues(ring, keys) };
  }

  describeSessionStore('of Redis', () => {
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

  describeAttemptStore('of Redis', () => {
    const { clock, engine, values } = setUp();
    return { clock, store: new RedisAttemptStore({ engine, values }) };
  });

  describeOneTimeStore('Redis', () => {
    const { clock, engine, values } = setUp();
    return { clock, store: new RedisOneTimeStore({ engine, values }) };
  });

  describeRates('Redis', () => {
    const { clock, engine, values } = setUp();
    return { clock, rates: new RedisRates({ engine, values }) };
  });

  const messagesThroughRedis = () => {
    const nodes: RedisMessages[] = [];
    const subscribers: Redis[] = [];
    const sent: Promise<unknown>[] = [];
    const { clock, values, prefix } = setUp(async () => {
      await Promise.all(sent);
      // What was published before is delivered before the answer.
      for (const subscriber of subscribers) await subscriber.ping();
    });
    // Nothing is sent before both receive.
    const connected = async () => {
      for (const each of nodes) await each.connected;
    };
    const callBuffer: Commands['callBuffer'] = (...command) => {
      const answer = connected().then(() => redis.callBuffer(...command));
      sent.push(answer);
      return answer;
    };
    const node = () => {
      const subscriber = new Redis(server.url);
      subscribers.push(subscriber);
      open.push(subscriber);
      const commands = { callBuffer };
      nodes.push(new RedisMessages({ commands, subscriber, values, prefix, random: systemRandom }));
      return nodes[nodes.length - 1] as RedisMessages;
    };
    return { clock, nodes: [node(), node()] as const };
  };
  describeMessages('through Redis', messagesThroughRedis);
  describeContents('through Redis', messagesThroughRedis);
}
