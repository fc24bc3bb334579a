import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Sessions } from '../../../packages/sessions/src/index.js';
import type { SessionRef } from '../../../packages/sessions/src/session/ids.js';
import { blankRecord } from '../../../packages/sessions/src/session/session-record.js';
import { parseMasterKeys } from '../../../packages/sessions/src/store/redis/master-keys.js';
import { RedisNode } from '../../../packages/sessions/src/store/redis/redis-node.js';
import { FaultingProvider, logIn } from '../../../packages/sessions/src/testing/index.js';
import { systemClock } from '../../../packages/sessions/src/time/clock.js';
import { Deadlines } from '../../../packages/sessions/src/time/deadlines.js';
import { KeyRing } from '../../../packages/sessions/src/vault/key-ring.js';
import { systemRandom } from '../../../packages/sessions/src/vault/random.js';
import { inMemory2026 } from '../../support/in-memory-client.js';
import { isInstalled } from '../../support/installed-program.js';
import { createLatch } from '../../support/latch.js';
import { REDIS } from '../../support/redis-server.js';
import {
  type FailoverCause,
  type ReplicatedEngine,
  type SentinelPasswords,
  startReplicatedEngine,
} from '../../support/sentinels.js';
import { named } from '../../support/transcribed-server.js';
import { MASTER_KEY, readyOf, registerWhoami, startNode } from './cluster-nodes.js';

const CAUSES: readonly FailoverCause[] = ['kill -9 of the primary', 'SENTINEL FAILOVER'];
const LIMITS = { maxSessions: 10_000, maxAnonymous: 10_000 };
const SESSIONS = 40;
/** The number of writes of each session that the replica does not receive. */
const HELD_WRITES = 5;

let engine: ReplicatedEngine;

afterEach(() => engine.stop());

/** A node, and what it has reported. @param passwords those of `startReplicatedEngine` */
function join(passwords?: SentinelPasswords) {
  const reports: string[] = [];
  const node = new RedisNode({
    address: {
      sentinels: engine.sentinels,
      name: engine.name,
      password: passwords?.engines,
      sentinelPassword: passwords?.sentinels,
    },
    ring: new KeyRing(parseMasterKeys([MASTER_KEY]), systemRandom),
    random: systemRandom,
    prefix: '{ms}',
    allowPersistence: false,
    deadlineMs: 60_000,
    report: (_level, message) => void reports.push(message),
    onError: (error) => void reports.push(String(error)),
  });
  onTestFinished(() => node.close());
  const deadlines = new Deadlines(systemClock, (error) => void reports.push(String(error)));
  const { sessions } = node.createPorts({ clock: node.clock, deadlines, isPresent: () => false });
  const takeover = () => reports.map((each) => /It lacked (\d+) writes/.exec(each)?.[1]).find(Boolean);
  return { node, sessions, takeover };
}

/** Changes a session again and again. The version counts up, so that a version that is too low is a lost write. */
async function keepWriting(
  { node, sessions }: ReturnType<typeof join>,
  ref: SessionRef,
  isOver: () => boolean,
) {
  const record = blankRecord(ref, 'connection', 'owner', 0);
  await sessions.insert(record, LIMITS);
  const written = { ref, acknowledged: 1, writes: 1, lost: 0 };
  const write = async () => {
    let before = 0;
    try {
      before = (await sessions.get(ref))?.version ?? 0;
      if (before < written.acknowledged) written.lost++;
      const version = Math.max(before, written.acknowledged) + 1;
      if (!(await sessions.replace({ ...record, version }, before))) return;
      written.acknowledged = version;
      written.writes++;
    } catch {
      // There is no connection, or the answer is lost.
      await setImmediate();
      await expect.poll(() => node.isReady).toBe(true);
    }
  };
  const run = async () => {
    while (!isOver()) await write();
  };
  return { written, write, run };
}

describe.skipIf(!isInstalled(REDIS))('after a failover', () => {
  it.each(CAUSES)('by %s no acknowledged write is lost', async (cause) => {
    engine = await startReplicatedEngine();
    const nodes = [join(), join()] as const;
    for (const { node } of nodes) await node.ready();
    let isOver = false;
    const writers = await Promise.all(
      Array.from({ length: SESSIONS }, (_, number) =>
        keepWriting(nodes[number % 2 === 0 ? 0 : 1], `session ${number}` as SessionRef, () => isOver),
      ),
    );
    const ended = Array.from({ length: SESSIONS }, (_, number) => `ended ${number}` as SessionRef);
    for (const ref of ended)
      await nodes[0].sessions.insert(blankRecord(ref, 'connection', 'owner', 0), LIMITS);
    await expect.poll(() => engine.replicaHas('{ms}:s:ended 39')).toBe(true);

    engine.holdReplication();
    for (let write = 0; write < HELD_WRITES; write++)
      await Promise.all(writers.map((writer) => writer.write()));
    for (const ref of ended) expect(await nodes[1].sessions.take(ref, 'logout')).toBeDefined();
    const running = writers.map((writer) => writer.run());
    await engine.failOver(cause);
    for (const { node, takeover } of nodes) {
      await expect.poll(takeover).toBeDefined();
      await expect.poll(() => node.isReady).toBe(true);
    }
    isOver = true;
    await Promise.all(running);

    const lacked = nodes.map(({ takeover }) => Number(takeover()));
    expect(lacked[0]).toBe(SESSIONS / 2);
    expect(lacked[1]).toBe(SESSIONS / 2 + ended.length);
    const written = writers.map((writer) => writer.written);
    expect(written.filter(({ lost }) => lost > 0)).toEqual([]);
    for (const { ref, acknowledged } of written) {
      const record = await nodes[0].sessions.get(ref);
      expect(record?.version).toBeGreaterThanOrEqual(acknowledged);
    }
    for (const ref of ended) {
      expect(await nodes[0].sessions.get(ref)).toBeUndefined();
      expect(await nodes[0].sessions.endReasonOf(ref)).toBe('logout');
    }
  });

  it('a node uses the new primary of sentinels that ask for a password', async () => {
    const passwords = { sentinels: 'of-sentinels', engines: 'of-engines' };
    engine = await startReplicatedEngine(passwords);
    const { node, takeover } = join(passwords);
    await node.ready();
    await engine.failOver('SENTINEL FAILOVER');
    await expect.poll(takeover).toBe('0');
    await expect.poll(() => node.isReady).toBe(true);
  });

  it.each(CAUSES)(
    'by %s a refresh in flight is committed, and its token is sent once [security 17, 52]',
    async (cause) => {
      engine = await startReplicatedEngine();
      const rejected = new Set<string>();
      const seen: string[] = [];
      const provider = new FaultingProvider({
        api: (request, user) => {
          const token = request.headers.get('authorization') ?? '';
          seen.push(token);
          return new Response(user ?? '', rejected.has(token) ? REJECTED : {});
        },
      });
      const [refreshed, released] = [createLatch(), createLatch()];
      let isHeld = false;
      const fetch: typeof globalThis.fetch = async (...request) => {
        const response = await provider.fetch(...request);
        if (isHeld && String(request[0]).includes('/token')) {
          refreshed.open();
          await released.opened;
        }
        return response;
      };
      const warned: string[] = [];
      const [one, other] = [startServer(provider, fetch, warned), startServer(provider, fetch, warned)];
      for (const server of [one, other]) await expect.poll(() => readyOf(server)).toBe(200);
      const session = await logInAt(one, provider, 'alice');
      // So that the other server has everything that a refresh needs.
      await logInAt(other, provider, 'bob');
      expect((await inMemory2026(other).call('whoami', session)).text).toBe('200 alice');

      engine.holdReplication();
      isHeld = true;
      rejected.add(seen.at(-1) ?? '');
      const call = inMemory2026(one).call('whoami', session);
      await refreshed.opened;
      await engine.failOver(cause);
      for (const server of [one, other]) await expect.poll(() => readyOf(server)).toBe(200);
      const before = seen.length;
      const elsewhere = inMemory2026(other).call('whoami', session);
      await expect.poll(() => seen.length).toBeGreaterThan(before);
      // The other server would send the token by now.
      for (let look = 0; look < 100; look++) await inMemory2026(other).call('session_status', session);
      released.open();
      expect((await call).text).toBe('200 alice');
      expect((await elsewhere).text).toBe('200 alice');
      expect(provider.reuses).toBe(0);
      // The logins and the refresh.
      expect(provider.requests.token).toBe(3);
    },
  );
});

const REJECTED = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } };

function startServer(provider: FaultingProvider, fetch: typeof globalThis.fetch, warned: string[]): Sessions {
  const { sentinels, name: sentinelName } = engine;
  const ignore = () => undefined;
  const warn = (_entry: object, message?: string) => void warned.push(message ?? '');
  const logger = { debug: ignore, info: ignore, warn, error: ignore };
  const server = startNode(
    engine.primary,
    provider,
    { runtime: { fetch }, logger, tools: registerWhoami },
    { url: undefined, sentinels, sentinelName },
  );
  onTestFinished(() => server.close());
  return server;
}

async function logInAt(
  server: Sessions,
  provider: FaultingProvider,
  user: string,
): Promise<Record<string, unknown>> {
  const client = inMemory2026(server);
  const started = (await client.call('login', {})).structured;
  const { code } = await logIn(server, started.loginUrl, { provider, user });
  return named((await client.call('login', { ...named(started), code })).structured);
}
