import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { isInstalled } from '../../../../../test/support/installed-program.js';
import { REDIS, type RedisServer, startRedis } from '../../../../../test/support/redis-server.js';
import { systemClock } from '../../time/clock.js';
import { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { KeyRing } from '../../vault/key-ring.js';
import * as memory from '../../vault/memory.js';
import { ClusterMarker } from './cluster-marker.js';
import { Engine } from './engine.js';

let server: RedisServer;
let redis: Redis;

const key = (id: string, byte: number) => ({ id, bytes: Buffer.alloc(32, byte) });

/** A node of the engine, with these master keys. */
function node(...[newest = key('a', 1), ...older]: ReturnType<typeof key>[]) {
  const keys = new KeyHierarchy();
  const ring = new KeyRing([newest, ...older], randomBytes);
  const marker = new ClusterMarker({ ring, keys, random: randomBytes });
  const now = Date.now();
  const clock = { now: () => now, after: systemClock.after };
  const engine = new Engine({ commands: redis, clock, prefix: '{ms}', deadlineMs: 60_000 });
  return {
    marker,
    adopt: () => marker.adopt(engine),
    reseal: () => marker.reseal(engine),
    mac: () => keys.mac('engine-name', 'x').toString('hex'),
  };
}

describe.skipIf(!isInstalled(REDIS))('the marker of a cluster', () => {
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  beforeEach(() => redis.flushall());
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('gives all nodes the same keys, whichever comes first', async () => {
    const nodes = [node(), node(), node()];
    await Promise.all(nodes.map(({ adopt }) => adopt()));
    expect(new Set(nodes.map(({ mac }) => mac())).size).toBe(1);
  });

  it('keeps the keys under a new master key, which opens it alone from then on [security 51]', async () => {
    const first = node(key('a', 1));
    await first.adopt();
    const promoted = node(key('b', 2), key('a', 1));
    expect(await promoted.adopt()).toBe('a');
    await promoted.reseal();
    expect(await promoted.adopt()).toBe('b');
    const last = node(key('b', 2));
    await last.adopt();
    expect(last.mac()).toBe(first.mac());
    await expect(node(key('a', 1)).adopt()).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('The marker is sealed under the key `b`; `keys` has `a`.'),
    });
    await expect(node(key('b', 3)).adopt()).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('the key `b`; `keys` has a different key with this id.'),
    });
  });

  it('stays the same in an engine that was emptied, if a node is left that knows it', async () => {
    const [known, late] = [node(), node()];
    await known.adopt();
    const before = known.mac();
    await redis.flushall();
    await known.adopt();
    await late.adopt();
    expect([known.mac(), late.mac()]).toEqual([before, before]);
  });

  it('is overwritten in a node that finds another one, with what it knew before', async () => {
    const made: Buffer[] = [];
    const secretCopy = memory.secretCopy;
    const spy = vi.spyOn(memory, 'secretCopy').mockImplementation((bytes) => {
      const copy = secretCopy(bytes);
      made.push(copy);
      return copy;
    });
    try {
      const [former, other] = [node(), node()];
      await former.adopt();
      await redis.flushall();
      await other.adopt();
      const before = former.mac();
      await former.adopt();
      expect(former.mac()).toBe(other.mac());
      expect(former.mac()).not.toBe(before);
      for (const { marker } of [former, other]) marker.wipe();
      expect(made.length).toBeGreaterThan(2);
      for (const bytes of made) expect(bytes).toEqual(Buffer.alloc(32));
    } finally {
      spy.mockRestore();
    }
  });
});
