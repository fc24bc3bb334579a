import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { attemptOf } from '../../../../../test/contracts/attempt-store-contract.js';
import { MODELLED_NOW, ModelledRedis } from '../../../../../test/support/redis-model/modelled-redis.js';
import type { SessionRef } from '../../session/ids.js';
import { blankRecord, type SessionRecord } from '../../session/session-record.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { KeyRing } from '../../vault/key-ring.js';
import { systemRandom } from '../../vault/random.js';
import { ClusterMarker } from './cluster-marker.js';
import { Engine } from './engine.js';
import { KeyRotation } from './key-rotation.js';
import { RedisAttemptStore } from './redis-attempt-store.js';
import { RedisSessionStore } from './redis-session-store.js';
import { SealedValues } from './sealed-values.js';

const LIMITS = { maxSessions: 1000, maxAnonymous: 1000 };
const ATTEMPTS = { maxPerSession: 10, maxAttempts: 100 };
const SESSIONS = 250;
const MINUTE_MS = 60_000;
const refOf = (number: number) => `session-${number}` as SessionRef;
const recordOf = (number: number) => blankRecord(refOf(number), 'connection', `holder ${number}`, 0);

/** An engine in this process, and nodes with the master keys `a`, `b` and `c`. */
function setUp() {
  const clock = new VirtualClock();
  const redis = new ModelledRedis({ now: () => clock.now() });
  const masterKeys = Object.fromEntries(['a', 'b', 'c'].map((id) => [id, randomBytes(32)]));
  const faults = { isDown: false };
  /** A node with these keys. */
  const join = (ids: string) => {
    const reports: string[] = [];
    const engine = new Engine({
      commands: {
        async callBuffer(...command) {
          if (faults.isDown) throw new Error('The connection is closed.');
          return redis.run(...command);
        },
      },
      clock,
      prefix: '{test}',
      now: MODELLED_NOW,
      timers: clock,
    });
    const [first = '', ...rest] = ids.split(' ');
    const keyOf = (id: string) => ({ id, bytes: Buffer.from(masterKeys[id] ?? '') });
    const ring = new KeyRing([keyOf(first), ...rest.map(keyOf)], systemRandom);
    const keys = new KeyHierarchy();
    const marker = new ClusterMarker({ ring, keys, random: systemRandom });
    const rotation = new KeyRotation({
      ring,
      marker,
      random: systemRandom,
      timers: clock,
      localNow: () => clock.now(),
      report: (_level, message) => reports.push(message),
    });
    const values = new SealedValues(ring, keys);
    return {
      reports,
      rotation,
      sessions: new RedisSessionStore({ engine, values, isPresent: () => false }),
      attempts: new RedisAttemptStore({ engine, values }),
      /** What a node does when it starts, and every minute. */
      async check() {
        const hasOldRecords = await rotation.announce(engine, await marker.adopt(engine));
        if (hasOldRecords) rotation.move(engine);
      },
      leave: () => rotation.leave(engine),
    };
  };
  /** All values of the engine that a key has sealed, by their keys. */
  const sealedUnder = (id: string) => {
    const header = `${String.fromCharCode(id.length)}${id}`;
    return redis.keyspace.keys().flatMap((key) => {
      const texts = [() => redis.keyspace.run('HVALS', [key]), () => [redis.keyspace.run('GET', [key])]];
      const values = texts.flatMap((read) => {
        try {
          return read();
        } catch {
          return [];
        }
      });
      return values.filter((value) => String(value).startsWith(header)).map(() => key);
    });
  };
  return { clock, redis, faults, join, sealedUnder };
}

type Node = ReturnType<ReturnType<typeof setUp>['join']>;

/** Stores a record of each kind: sessions, and logins that are under way, have failed, and were superseded. */
async function fill({ sessions, attempts }: Node): Promise<void> {
  for (let number = 0; number < SESSIONS; number++) await sessions.insert(recordOf(number), LIMITS);
  const superseded = attemptOf('superseded');
  await attempts.insert(attemptOf('pending'), undefined, ATTEMPTS);
  await attempts.insert(superseded, undefined, ATTEMPTS);
  await attempts.insert(attemptOf('next', { snapshot: superseded.snapshot }), superseded.key, ATTEMPTS);
}

/** Records that the node `a` has stored, and a node that seals with `b`. */
async function promoted() {
  const engine = setUp();
  const old = engine.join('a b');
  await old.check();
  await fill(old);
  const node = engine.join('b a');
  await node.check();
  return { ...engine, old, node };
}

describe('the rotation of a master key', () => {
  it('moves every record to the new key when all nodes seal with it [security 51]', async () => {
    const { clock, old, node, sealedUnder } = await promoted();
    await clock.advance(MINUTE_MS);
    expect(sealedUnder('a').length).toBeGreaterThan(SESSIONS);
    expect(sealedUnder('b')).toEqual([]);
    expect(node.reports).toEqual([expect.stringContaining('until all servers have the same first key')]);
    await old.leave();
    await node.check();
    await clock.advance(MINUTE_MS);
    expect(sealedUnder('a')).toEqual([]);
    // Sessions, the marker, and attempts: two have what is kept when they fail besides.
    expect(sealedUnder('b')).toHaveLength(SESSIONS + 1 + 5);
    expect(node.reports.slice(1)).toEqual([
      `${SESSIONS + 5} records under the master keys \`a\` were sealed again under \`b\`.`,
      'No record is sealed under the master key `a` any more: it can be removed from all servers.',
    ]);
  });

  it('leaves records readable by a node that has only the new key', async () => {
    const { clock, old, node, ...engine } = await promoted();
    await old.leave();
    await node.check();
    await clock.advance(MINUTE_MS);
    const last = engine.join('b');
    await last.check();
    expect(await last.sessions.get(refOf(7))).toEqual(recordOf(7));
    for (const id of ['pending', 'next'])
      expect(await last.attempts.get(attemptOf(id).key)).toMatchObject({ version: 1 });
    expect(await last.attempts.get(attemptOf('superseded').key)).toMatchObject({
      outcome: { kind: 'failed', failure: 'superseded' },
    });
  });

  it('overwrites no record that is written meanwhile', async () => {
    const { clock, redis, old, node, sealedUnder } = await promoted();
    await old.leave();
    // The first call of a script takes two.
    await node.sessions.replace({ ...recordOf(4), version: 2 }, 1);
    const next: SessionRecord = { ...recordOf(3), version: 2, owner: 'another holder' };
    const writes: Promise<boolean>[] = [];
    redis.around = ({ name, args }, run) => {
      const isFirst = name === 'replace-seal' && args.includes(`s:${refOf(3)}`) && writes.length === 0;
      // It takes place between the reading and the writing of the other one.
      if (isFirst) writes.push(node.sessions.replace(next, 1));
      return run();
    };
    await node.check();
    await clock.advance(MINUTE_MS);
    expect(await Promise.all(writes)).toEqual([true]);
    expect(await node.sessions.get(refOf(3))).toEqual(next);
    expect(sealedUnder('a')).toEqual([]);
  });

  it('goes on with the next check when the engine has failed', async () => {
    const { clock, redis, faults, old, node, sealedUnder } = await promoted();
    await old.leave();
    let replaced = 0;
    redis.around = ({ name }, run) => {
      if (name === 'replace-seal' && ++replaced === 100) faults.isDown = true;
      return run();
    };
    await node.check();
    await clock.advance(MINUTE_MS);
    expect(sealedUnder('a').length).toBeGreaterThan(100);
    expect(node.reports.join('\n')).not.toContain('any more');
    faults.isDown = false;
    await node.check();
    await clock.advance(MINUTE_MS);
    expect(sealedUnder('a')).toEqual([]);
    expect(node.reports.at(-1)).toContain('No record is sealed under the master key `a` any more');
  });

  it('is done by one node at a time, and told by all that have seen it', async () => {
    const { clock, redis, old, node, ...engine } = await promoted();
    const other = engine.join('b a');
    await other.check();
    await old.leave();
    let replaced = 0;
    redis.around = ({ name }, run) => {
      if (name === 'replace-seal') replaced++;
      return run();
    };
    await Promise.all([node.check(), other.check()]);
    await clock.advance(MINUTE_MS);
    expect(replaced).toBe(SESSIONS + 5);
    await Promise.all([node.check(), other.check()]);
    for (const { reports } of [node, other])
      expect(reports.at(-1)).toContain('No record is sealed under the master key `a` any more');
  });

  it('is continued by another node when the one that has begun it was killed', async () => {
    const { clock, redis, old, node, sealedUnder, ...engine } = await promoted();
    const other = engine.join('b a');
    await other.check();
    await old.leave();
    let replaced = 0;
    redis.around = ({ name }, run) => {
      if (name === 'replace-seal' && ++replaced === 100) void node.rotation.stop();
      return run();
    };
    await node.check();
    await clock.advance(MINUTE_MS);
    expect(sealedUnder('a').length).toBeGreaterThan(100);
    await other.check();
    await clock.advance(MINUTE_MS);
    expect(sealedUnder('a')).toEqual([]);
  });

  it('waits three minutes for a node that was killed, which writes nothing after half a minute less', async () => {
    const { clock, old, node, sealedUnder } = await promoted();
    await clock.advance(2 * MINUTE_MS);
    expect(old.rotation.isAnnounced).toBe(true);
    await clock.advance(MINUTE_MS / 2);
    expect(old.rotation.isAnnounced).toBe(false);
    await node.check();
    await clock.advance(MINUTE_MS / 4);
    expect(sealedUnder('b')).toEqual([]);
    await clock.advance(MINUTE_MS / 2);
    await node.check();
    await clock.advance(MINUTE_MS);
    expect(sealedUnder('a')).toEqual([]);
  });

  it('is not complete if a node with another first key has joined meanwhile', async () => {
    const { clock, redis, old, node, ...engine } = await promoted();
    await old.leave();
    let isJoined = false;
    redis.around = ({ name }, run) => {
      if (name === 'replace-seal' && !isJoined) {
        isJoined = true;
        void engine.join('a b').check();
      }
      return run();
    };
    await node.check();
    await clock.advance(MINUTE_MS);
    expect(node.reports.join('\n')).not.toContain('any more');
    await expect(engine.join('b').check()).rejects.toMatchObject({ code: 'configuration' });
  });

  it('can be taken back', async () => {
    const { clock, old, node, sealedUnder, ...engine } = await promoted();
    await node.sessions.insert(recordOf(SESSIONS), LIMITS);
    expect(sealedUnder('b')).toHaveLength(1);
    await node.leave();
    const back = engine.join('a b');
    await Promise.all([back.check(), old.check()]);
    await clock.advance(MINUTE_MS);
    expect(sealedUnder('b')).toEqual([]);
    expect(sealedUnder('a').length).toBeGreaterThan(SESSIONS);
  });
});

describe('a node', () => {
  it('does not start without a key that records need, also if it has the key of the marker', async () => {
    const { clock, redis, old, node, ...engine } = await promoted();
    await old.leave();
    redis.around = ({ name }, run) => {
      if (name === 'replace-seal') void node.rotation.stop();
      return run();
    };
    await node.check();
    await clock.advance(MINUTE_MS);
    await expect(engine.join('b').check()).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('sealed under the master key `a`, and `keys` has only `b`. Add it'),
    });
  });

  it('does not start with a first key that another node does not have', async () => {
    const engine = setUp();
    const old = engine.join('a');
    await old.check();
    const early = engine.join('b a');
    await expect(early.check()).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('The master key `b` is the first of `keys`, and another server'),
    });
    expect(early.rotation.isAnnounced).toBe(false);
    await old.leave();
    await early.check();
    expect(early.rotation.isAnnounced).toBe(true);
  });

  it('does not start without the first key of another node', async () => {
    const { node, ...engine } = await promoted();
    await expect(engine.join('a').check()).rejects.toMatchObject({
      message: expect.stringContaining('sealed under the master key `b`, and `keys` has only `a`. Add it'),
    });
  });

  it('that runs is refused with its next check when it lacks the key that others seal with [security 51]', async () => {
    const { clock, sealedUnder, ...engine } = setUp();
    const old = engine.join('a');
    await old.check();
    await clock.advance(4 * MINUTE_MS);
    expect(old.rotation.isAnnounced).toBe(false);
    const node = engine.join('b a');
    await node.check();
    await expect(old.check()).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining(
        'under the master key `b`, and `keys` has only `a`. Add it at the end',
      ),
    });
    await clock.advance(MINUTE_MS);
    expect(sealedUnder('a')).toEqual([]);
    await expect(old.check()).rejects.toMatchObject({
      message: expect.stringContaining('The marker is sealed under the key `b`; `keys` has `a`.'),
    });
    expect(old.rotation.isAnnounced).toBe(false);
  });

  it('that was paused while others have moved its records has its key needed again', async () => {
    const { clock, old, node, ...engine } = await promoted();
    await clock.advance(4 * MINUTE_MS);
    await node.check();
    await clock.advance(MINUTE_MS);
    expect(node.reports.at(-1)).toContain('`a` any more');
    await old.check();
    await expect(engine.join('b').check()).rejects.toMatchObject({
      message: expect.stringContaining('sealed under the master key `a`, and `keys` has only `b`'),
    });
  });
});
