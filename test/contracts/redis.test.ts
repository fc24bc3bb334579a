import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import { MAX_CONTENT_BYTES } from '../../packages/sessions/src/session/messages.js';
import { accountIndex } from '../../packages/sessions/src/session/session-index.js';
import { blankRecord, type SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import { Engine } from '../../packages/sessions/src/store/redis/engine.js';
import { RedisMessages } from '../../packages/sessions/src/store/redis/redis-messages.js';
import { RedisSessionStore } from '../../packages/sessions/src/store/redis/redis-session-store.js';
import { SealedValues } from '../../packages/sessions/src/store/redis/sealed-values.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { KeyRing } from '../../packages/sessions/src/vault/key-ring.js';
import { systemRandom } from '../../packages/sessions/src/vault/random.js';
import { isInstalled } from '../support/installed-program.js';
import { Journal } from '../support/journal.js';
import { REDIS, type RedisServer, startRedis } from '../support/redis-server.js';
import { RedisTime } from '../support/redis-time.js';

const LIMITS = { maxSessions: 10, maxAnonymous: 10 };
// The brand is given in the library only; here any text will do.
const REF = 'session' as SessionRef;

function recordOf(fields: Partial<SessionRecord> = {}): SessionRecord {
  return { ...blankRecord(REF, 'connection', 'owner canary', 0), quotaKey: 'address canary', ...fields };
}

/** A login whose tokens are not even sealed, so that only the seal of the record hides them. */
const LOGIN: Partial<SessionRecord> = {
  accounts: {
    idp: {
      provider: 'idp',
      state: 'authenticated',
      generation: 1,
      grantId: 1,
      subject: 'subject canary',
      name: 'name canary',
      scopes: ['scope canary'],
      hasRefreshToken: true,
      sealed: { salt: Buffer.from('salt canary'), bytes: Buffer.from('token canary') },
    },
  },
};

describe.skipIf(!isInstalled(REDIS))('an engine', () => {
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

  function setUp() {
    const prefix = `{${prefixes++}}`;
    const clock = new RedisTime(redis, prefix);
    const engine = new Engine({ commands: redis, clock, prefix, now: clock.lua, timers: new VirtualClock() });
    clock.engines.push(engine);
    const ring = new KeyRing([{ id: 'a', bytes: systemRandom(32) }], systemRandom);
    const values = new SealedValues(ring, new KeyHierarchy(systemRandom(32)));
    const node = (isPresent: (ref: SessionRef) => boolean) =>
      new RedisSessionStore({ engine, values, isPresent });
    return { clock, prefix, node, values, store: node(() => false) };
  }

  it('keeps sessions', async () => {
    const { store } = setUp();
    expect(await store.insert(recordOf(LOGIN), LIMITS)).toEqual({ kind: 'inserted', evicted: [] });
    expect(await store.get(REF)).toEqual(recordOf(LOGIN));
    expect(await store.refsOf(accountIndex({ provider: 'idp', subject: 'subject canary' }))).toEqual([REF]);
    expect(await store.take(REF, 'idle')).toEqual(recordOf(LOGIN));
    expect(await store.endReasonOf(REF)).toBe('idle');
  });

  it('does nothing for a caller that has given up [security 52]', async () => {
    const { clock, prefix, store } = setUp();
    await clock.advance(0);
    // The engine is a second ahead when the call reaches it.
    await redis.set(`${prefix}:time`, String(clock.now() + 1000));
    await expect(store.insert(recordOf(), LIMITS)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await store.get(REF)).toBeUndefined();
  });

  it('ends no owned connection that is in use at another node [security 36, 39]', async () => {
    const { clock, node, store } = setUp();
    const present = new Set([REF]);
    const holder = node((ref) => present.has(ref));
    const [second, third] = ['second', 'third'] as SessionRef[] as [SessionRef, SessionRef];
    const share = { max: 1, minIdleMs: 0 };
    const connect = (ref: SessionRef) =>
      store.insert(recordOf({ ref, kind: 'owned-connection' }), { ...LIMITS, share });
    const visit = (ref: SessionRef) => holder.visit(ref, clock.now(), Number.POSITIVE_INFINITY);
    await connect(REF);
    await visit(REF);
    expect(await connect(second)).toMatchObject({ kind: 'share_full' });
    present.delete(REF);
    await visit(REF);
    expect(await connect(second)).toMatchObject({ kind: 'inserted', evicted: [{ ref: REF }] });
    // A node that was killed visits no connection any more.
    present.add(second);
    await visit(second);
    await clock.advance(59_999);
    expect(await connect(third)).toMatchObject({ kind: 'share_full' });
    await clock.advance(1);
    expect(await connect(third)).toMatchObject({ kind: 'inserted', evicted: [{ ref: second }] });
  });

  it('gets its scripts again after it has lost them', async () => {
    const { store } = setUp();
    await store.insert(recordOf(), LIMITS);
    await redis.script('FLUSH');
    expect(await store.visit(REF, 10, 1000)).toMatchObject({ lastRequestAtMs: 10 });
  });

  it('has no subject, name, address or token in clear [security 2, 50]', async () => {
    const { store } = setUp();
    await store.insert(recordOf(LOGIN), LIMITS);
    await redis.set('{control}', 'control canary');
    const dump: string[] = [];
    for (const key of await redis.keys('*')) {
      const value = await redis.dumpBuffer(key);
      dump.push(`${key} ${value?.toString('latin1')}`);
    }
    const canaries = dump.join('\n').match(/\w+ canary|c2FsdCBjYW5hcnk|dG9rZW4gY2FuYXJ5/g);
    expect(canaries).toEqual(['control canary']);
    expect(dump.length).toBeGreaterThan(3);
  });

  it('passes on what servers tell each other, sealed, and nothing that they have not sent [security 50]', async () => {
    const { prefix, values } = setUp();
    const subscribers = [0, 1, 2].map(() => new Redis(server.url));
    onTestFinished(() => {
      for (const each of subscribers) each.disconnect();
    });
    const [sender, receiver, watching] = subscribers as [Redis, Redis, Redis];
    const messagesAt = (subscriber: Redis) =>
      new RedisMessages({ commands: redis, subscriber, values, prefix, random: systemRandom });
    const [here, there] = [messagesAt(sender), messagesAt(receiver)];
    await Promise.all([here.connected, there.connected]);
    const seen = new Journal<string>();
    watching.on('message', (_channel: string, message: string) => seen.add(message));
    const channel = `${prefix}:messages:1`;
    await watching.subscribe(channel);
    const received = new Journal<unknown>();
    there.receive('topic canary', (content) => received.add(content));

    here.send('topic canary', { uri: 'first canary' });
    const sealed = await seen.first('the message', () => true);
    const [node, mark, bytes = ''] = sealed.split(' ');
    expect(Buffer.from(bytes, 'base64').toString('latin1') + sealed).not.toContain('canary');
    const changed = `${bytes.slice(0, -8)}${bytes.slice(-8).toLowerCase()}AAAA`;
    for (const forged of [
      `other ${mark} ${bytes}`,
      `${node} ${mark} ${changed}`,
      `${node} ${mark}`,
      '',
      ' = ',
    ])
      await redis.publish(channel, forged);
    here.send('topic canary', { uri: 'x'.repeat(MAX_CONTENT_BYTES) });
    here.send('another topic', { uri: 'third canary' });
    here.send('topic canary', { uri: 'last canary' });
    await received.first('the last one', (content) => JSON.stringify(content).includes('last'));
    expect(received.entries).toEqual([{ uri: 'first canary' }, { uri: 'last canary' }]);
  });

  it('has no record that opens in the place of another one [security 29]', async () => {
    const { prefix, store } = setUp();
    const other = 'other' as SessionRef;
    for (const ref of [REF, other]) await store.insert(recordOf({ ref, quotaKey: ref }), LIMITS);
    const sealed = await redis.hgetBuffer(`${prefix}:s:${other}`, 'r');
    await redis.hset(`${prefix}:s:${REF}`, 'r', sealed ?? '');
    await expect(store.get(REF)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await store.get(other)).toMatchObject({ ref: other });
  });
});
