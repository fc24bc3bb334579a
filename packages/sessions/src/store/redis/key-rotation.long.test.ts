import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isInstalled } from '../../../../../test/support/installed-program.js';
import { REDIS, startRedis } from '../../../../../test/support/redis-server.js';
import type { SessionRef } from '../../session/ids.js';
import { blankRecord } from '../../session/session-record.js';
import { systemClock } from '../../time/clock.js';
import { KeyHierarchy } from '../../vault/key-hierarchy.js';
import { KeyRing } from '../../vault/key-ring.js';
import { systemRandom } from '../../vault/random.js';
import { ClusterMarker } from './cluster-marker.js';
import { Engine } from './engine.js';
import { KeyRotation } from './key-rotation.js';
import { RedisSessionStore } from './redis-session-store.js';
import { SealedValues } from './sealed-values.js';

const SESSIONS = 3000;
const LIMITS = { maxSessions: 1_000_000, maxAnonymous: 1_000_000 };
const MASTER_KEYS = { a: randomBytes(32), b: randomBytes(32) };
const refOf = (number: number) => `session-${number}` as SessionRef;
const recordOf = (number: number) => blankRecord(refOf(number), 'connection', `holder ${number}`, 0);

describe.skipIf(!isInstalled(REDIS))('the rotation of a master key in a real engine', () => {
  it('moves all of many records, while others are written, added and removed [security 51]', async () => {
    const server = await startRedis();
    const redis = new Redis(server.url);
    onTestFinished(async () => {
      redis.disconnect();
      await server.stop();
    });
    const join = async (...ids: readonly ('a' | 'b')[]) => {
      const [first = 'a', ...rest] = ids;
      const keyOf = (id: 'a' | 'b') => ({ id, bytes: Buffer.from(MASTER_KEYS[id]) });
      const ring = new KeyRing([keyOf(first), ...rest.map(keyOf)], systemRandom);
      const keys = new KeyHierarchy();
      const clock = { now: () => Date.now(), after: systemClock.after };
      const engine = new Engine({ commands: redis, clock, prefix: '{ms}', deadlineMs: 60_000 });
      const marker = new ClusterMarker({ ring, keys, random: systemRandom });
      let told: () => void = () => undefined;
      const removable = new Promise<void>((resolve) => {
        told = resolve;
      });
      const report = (_level: string, message: string) => message.includes('`a` any more') && told();
      const rotation = new KeyRotation({
        ring,
        marker,
        random: systemRandom,
        timers: systemClock,
        localNow: () => 0,
        report,
      });
      const sessions = new RedisSessionStore({
        engine,
        values: new SealedValues(ring, keys),
        isPresent: () => false,
      });
      if (await rotation.announce(engine, await marker.adopt(engine))) rotation.move(engine);
      return { sessions, removable, leave: () => rotation.leave(engine) };
    };
    const old = await join('a', 'b');
    for (let number = 0; number < SESSIONS; number += 100)
      await Promise.all(
        Array.from({ length: 100 }, (_, at) => old.sessions.insert(recordOf(number + at), LIMITS)),
      );
    await old.leave();
    const node = await join('b', 'a');
    for (let number = 0; number < SESSIONS; number += 10) {
      await node.sessions.replace({ ...recordOf(number), version: 2, owner: 'another holder' }, 1);
      await node.sessions.take(refOf(number + 1), 'logout');
      await node.sessions.insert(recordOf(SESSIONS + number), LIMITS);
    }
    await node.removable;

    const last = await join('b');
    const { refs } = await last.sessions.refs();
    expect(refs).toHaveLength(SESSIONS);
    const records = await Promise.all(refs.map((ref) => last.sessions.get(ref)));
    const changed = records.filter((record) => record?.owner === 'another holder');
    expect(changed.map((record) => record?.version)).toEqual(new Array(SESSIONS / 10).fill(2));
    expect(records.filter((record) => record?.owner.startsWith('holder ')).length).toBe(0.9 * SESSIONS);
  });
});
