import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { accountIndex } from '../../packages/sessions/src/session/session-index.js';
import { blankRecord, type SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import { Engine } from '../../packages/sessions/src/store/redis/engine.js';
import { Failovers } from '../../packages/sessions/src/store/redis/failovers.js';
import { RecentWrites } from '../../packages/sessions/src/store/redis/recent-writes.js';
import { RedisSessionStore } from '../../packages/sessions/src/store/redis/redis-session-store.js';
import { SealedValues } from '../../packages/sessions/src/store/redis/sealed-values.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { KeyRing } from '../../packages/sessions/src/vault/key-ring.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { isInstalled } from '../support/installed-program.js';
import { REDIS, type RedisServer, startRedis } from '../support/redis-server.js';
import { RedisTime } from '../support/redis-time.js';

const LIMITS = { maxSessions: 1000, maxAnonymous: 1000 };
const SECOND = 1000;
// The brand is given in the library only; here any text will do.
const REF = 'session' as SessionRef;
const ALICE = { provider: 'idp', subject: 'alice' };

const FIRST: SessionRecord = { ...blankRecord(REF, 'connection', 'owner', 0), quotaKey: 'address' };
const LOGGED_IN: SessionRecord = {
  ...FIRST,
  version: 2,
  accounts: {
    idp: {
      ...ALICE,
      state: 'authenticated',
      generation: 1,
      grantId: 1,
      scopes: [],
      hasRefreshToken: false,
    },
  },
};

describe.skipIf(!isInstalled(REDIS))('a replica that takes over without the latest writes', () => {
  let server: RedisServer;
  let redis: Redis;
  let prefixes = 0;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  /** Two nodes of an engine whose writes can be undone. */
  async function setUp() {
    const prefix = `{${prefixes++}}`;
    const clock = new RedisTime(redis, prefix);
    const engine = new Engine({ commands: redis, clock, prefix, now: clock.lua, timers: new VirtualClock() });
    clock.engines.push(engine);
    const ring = new KeyRing([{ id: 'a', bytes: systemRandom(32) }], systemRandom);
    const values = new SealedValues(ring, new KeyHierarchy(systemRandom(32)));
    let lostAtMs = 0;
    const join = async () => {
      const writes = new RecentWrites(() => clock.now());
      const lost: number[] = [];
      const failovers = new Failovers({
        writes,
        random: systemRandom,
        onFailover: (each) => lost.push(each),
      });
      const follow = (run: string) => failovers.follow(engine, run, lostAtMs);
      await follow('primary');
      const store = new RedisSessionStore({ engine, values, isPresent: () => false, writes });
      return { store, failovers, follow, lost };
    };
    const copy = async () => {
      const keys = (await redis.keys('*')).filter((key) => key.startsWith(prefix) && !key.endsWith(':time'));
      const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
      return async () => {
        lostAtMs = clock.now();
        const written = (await redis.keys('*')).filter(
          (key) => key.startsWith(prefix) && !key.endsWith(':time'),
        );
        if (written.length > 0) await redis.del(...written);
        for (const [at, key] of keys.entries()) await redis.restore(key, 0, dumps[at] ?? '');
      };
    };
    const nodes = [await join(), await join()] as const;
    return { clock, prefix, nodes, copy };
  }

  it('gets insertions, replacements and ends from the node that has made them', async () => {
    const { nodes, copy } = await setUp();
    const [{ store, follow, lost }] = nodes;
    const ended = 'ended' as SessionRef;
    await store.insert({ ...FIRST, ref: ended }, LIMITS);
    const takeOver = await copy();
    await store.insert(FIRST, LIMITS);
    await store.replace(LOGGED_IN, FIRST.version);
    await store.take(ended, 'logout');
    await takeOver();
    expect(await store.get(REF)).toBeUndefined();
    expect(await store.get(ended)).toBeDefined();
    await follow('replica');
    expect(lost).toEqual([2]);
    expect(await store.get(REF)).toEqual(LOGGED_IN);
    expect(await store.refsOf(accountIndex(ALICE))).toEqual([REF]);
    expect((await store.refs()).refs).toEqual([REF]);
    expect(await store.get(ended)).toBeUndefined();
    expect(await store.endReasonOf(ended)).toBe('logout');
  });

  it('keeps what another node has written since then', async () => {
    const { nodes, copy } = await setUp();
    const [one, other] = nodes;
    await one.store.insert(FIRST, LIMITS);
    const takeOver = await copy();
    for (let version = 2; version < 10; version++)
      await one.store.replace({ ...LOGGED_IN, version }, version - 1);
    await takeOver();
    await other.follow('replica');
    await other.store.replace({ ...FIRST, version: 20 }, FIRST.version);
    await one.follow('replica');
    expect(one.lost).toEqual([0]);
    expect(await one.store.get(REF)).toEqual({ ...FIRST, version: 20 });
  });

  it.each([
    ['in their order', [0, 1]],
    ['in the other order', [1, 0]],
  ] as const)('gets the latest write of a session if nodes repeat theirs %s', async (_what, order) => {
    const { nodes, copy } = await setUp();
    const [one, other] = nodes;
    await one.store.insert(FIRST, LIMITS);
    const takeOver = await copy();
    await one.store.replace({ ...FIRST, version: 2 }, 1);
    await other.store.replace({ ...FIRST, version: 3 }, 2);
    await takeOver();
    for (const node of order) await nodes[node].follow('replica');
    expect(await one.store.get(REF)).toMatchObject({ version: 3 });
  });

  it.each([
    ['in their order', [0, 1]],
    ['in the other order', [1, 0]],
  ] as const)(
    'has no session that another node has ended, if nodes repeat theirs %s',
    async (_what, order) => {
      const { nodes, copy } = await setUp();
      const [one, other] = nodes;
      const takeOver = await copy();
      await one.store.insert(FIRST, LIMITS);
      await other.store.take(REF, 'logout');
      await takeOver();
      for (const node of order) await nodes[node].follow('replica');
      expect(await one.store.get(REF)).toBeUndefined();
      expect(await one.store.endReasonOf(REF)).toBe('logout');
    },
  );

  it('ends a session that was ended before, although another node has written it since then', async () => {
    const { nodes, copy } = await setUp();
    const [one, other] = nodes;
    await one.store.insert(FIRST, LIMITS);
    const takeOver = await copy();
    await one.store.take(REF, 'logout');
    await takeOver();
    await other.follow('replica');
    await other.store.replace(LOGGED_IN, FIRST.version);
    await one.follow('replica');
    expect(one.lost).toEqual([1]);
    expect(await one.store.get(REF)).toBeUndefined();
    expect(await one.store.endReasonOf(REF)).toBe('logout');
    await other.follow('another');
    expect(other.lost).toEqual([0, 0]);
    expect(await one.store.get(REF)).toBeUndefined();
  });

  it('keeps a session that has begun after the failover, although an earlier one was ended before', async () => {
    const { nodes, copy } = await setUp();
    const [one, other] = nodes;
    const takeOver = await copy();
    await one.store.insert(FIRST, LIMITS);
    await one.store.take(REF, 'logout');
    await takeOver();
    await other.follow('replica');
    await other.store.insert({ ...FIRST, version: 7 }, LIMITS);
    await one.follow('replica');
    expect(one.lost).toEqual([0]);
    expect(await one.store.get(REF)).toMatchObject({ version: 7 });
  });

  it('has the session that an owner has begun after an end', async () => {
    const { nodes, copy } = await setUp();
    const [one, other] = nodes;
    const takeOver = await copy();
    await one.store.insert(FIRST, LIMITS);
    await one.store.take(REF, 'logout');
    await other.store.insert({ ...FIRST, version: 5 }, LIMITS);
    await takeOver();
    for (const node of nodes) await node.follow('replica');
    expect(await one.store.get(REF)).toMatchObject({ version: 5 });
  });

  it('gets an eviction as an end', async () => {
    const { nodes, copy } = await setUp();
    const [{ store, follow }] = nodes;
    await store.insert(FIRST, LIMITS);
    const takeOver = await copy();
    const second = 'second' as SessionRef;
    await store.insert({ ...FIRST, ref: second }, { ...LIMITS, maxSessions: 1 });
    await takeOver();
    await follow('replica');
    expect((await store.refs()).refs).toEqual([second]);
    expect(await store.endReasonOf(REF)).toBe('cap');
  });

  it('gets writes again that were lost a second time', async () => {
    const { clock, nodes, copy } = await setUp();
    const [{ store, follow, lost }] = nodes;
    const takeOver = await copy();
    await store.insert(FIRST, LIMITS);
    await clock.advance(12 * SECOND);
    await takeOver();
    await follow('replica');
    await clock.advance(12 * SECOND);
    await takeOver();
    await follow('another');
    expect(lost).toEqual([1, 1]);
    expect(await store.get(REF)).toEqual(FIRST);
  });

  it('gets nothing that was written more than twenty seconds before, or before more than 16 MiB', async () => {
    const { clock, nodes, copy } = await setUp();
    const [{ store, follow, lost }] = nodes;
    const takeOver = await copy();
    await store.insert(FIRST, LIMITS);
    await clock.advance(20 * SECOND + 1);
    const large = 'x'.repeat(1_000_000);
    const refs = Array.from({ length: 20 }, (_, number) => `large ${number}` as SessionRef);
    for (const ref of refs) await store.insert({ ...FIRST, ref, owner: large }, LIMITS);
    await takeOver();
    await follow('replica');
    expect(lost).toEqual([16]);
    expect((await store.refs()).refs.toSorted()).toEqual(refs.slice(4).toSorted());
  });

  it('gets nothing if it has no data, or other data', async () => {
    const { prefix, nodes } = await setUp();
    const [{ store, failovers, follow, lost }, other] = nodes;
    await store.insert(FIRST, LIMITS);
    await other.store.insert({ ...FIRST, ref: 'second' as SessionRef }, LIMITS);
    const keys = (await redis.keys('*')).filter((key) => key.startsWith(prefix) && !key.endsWith(':time'));
    await redis.del(...keys);
    // The first of them gives the data an id. The other one notices by it.
    for (const node of nodes) await node.follow('restarted');
    expect([lost, other.lost]).toEqual([[], []]);
    expect((await store.refs()).refs).toEqual([]);
    expect(failovers.latestMs).toBe(Number.NEGATIVE_INFINITY);
    await follow('replica of the restarted');
    expect(lost).toEqual([0]);
  });

  it('tells all nodes when it took over, and a restart of a node does not hide that', async () => {
    const { clock, nodes } = await setUp();
    const [one, other] = nodes;
    await clock.advance(5 * SECOND);
    await one.follow('replica');
    await clock.advance(SECOND);
    await other.follow('replica');
    await one.follow('replica');
    expect([one, other].map(({ failovers }) => failovers.latestMs)).toEqual([5 * SECOND, 5 * SECOND]);
    expect([one.lost, other.lost]).toEqual([[0], [0]]);
  });
});
