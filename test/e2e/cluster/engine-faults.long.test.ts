import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Sessions } from '../../../packages/sessions/src/index.js';
import { leastRights } from '../../../packages/sessions/src/store/redis/least-rights.js';
import { FaultingProvider, logIn } from '../../../packages/sessions/src/testing/index.js';
import { inMemory2026 } from '../../support/in-memory-client.js';
import { isInstalled } from '../../support/installed-program.js';
import { request2026 } from '../../support/raw-mcp.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { named } from '../../support/transcribed-server.js';
import { startTcpProxy } from '../tcp-proxy.js';
import { MASTER_KEY, readyOf, startNode } from './cluster-nodes.js';

const PAGE = readFileSync(new URL('../../../docs/cluster.md', import.meta.url), 'utf8');
const engines: RedisServer[] = [];

async function engine(options?: readonly string[], port?: number): Promise<RedisServer> {
  const started = await startRedis(options, port);
  engines.push(started);
  return started;
}

afterEach(async () => {
  await Promise.all(engines.splice(0).map((each) => each.stop()));
});

/** A tool call of a client without a session. */
function call(node: Sessions, session?: Record<string, unknown>): Promise<Response> {
  const params = { name: 'whoami', arguments: session ?? {} };
  const { headers, body } = request2026('tools/call', params);
  return node.handleRequest(
    new Request('http://127.0.0.1:3000/mcp', { method: 'POST', headers: { ...headers }, body: body ?? '' }),
  );
}

async function ready(
  redis: Pick<RedisServer, 'url'>,
  options: { deadlineMs?: number } = {},
  warned: string[] = [],
) {
  const provider = new FaultingProvider({ api: (_request, user) => new Response(user ?? 'none') });
  const ignore = () => undefined;
  const warn = (_entry: object, message?: string) => void warned.push(message ?? '');
  const logger = { debug: ignore, info: ignore, warn, error: ignore };
  const node = startNode(redis, provider, { logger }, options);
  onTestFinished(() => node.close());
  await expect.poll(() => readyOf(node)).toBe(200);
  const logInAs = async (user: string) => {
    const client = inMemory2026(node);
    const started = (await client.call('login', {})).structured;
    const { code } = await logIn(node, started.loginUrl, { provider, user });
    return named((await client.call('login', { ...named(started), code })).structured);
  };
  return { node, logInAs, client: inMemory2026(node), provider };
}

describe.skipIf(!isInstalled(REDIS))('a node', () => {
  it('answers 503 while the engine is silent, and goes on after that [security 53]', async () => {
    const redis = await engine();
    const { node, logInAs, client } = await ready(redis, { deadlineMs: 10_000 });
    const session = await logInAs('alice');
    redis.kill('SIGSTOP');
    const refused = await call(node, session);
    redis.kill('SIGCONT');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    await expect.poll(async () => (await call(node, session)).status).toBe(200);
    expect((await client.call('whoami', session)).text).toBe('200 alice');
  });

  it('answers 503 at once while the engine is down, says so, and goes on with the next one [security 53]', async () => {
    const redis = await engine();
    const { node, logInAs, client } = await ready(redis, { deadlineMs: 60_000 });
    const session = await logInAs('alice');
    await redis.stop();
    await expect.poll(() => readyOf(node)).toBe(503);
    const refused = await call(node, session);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    await engine([], redis.port);
    await expect.poll(() => readyOf(node)).toBe(200);
    // The engine keeps nothing, so the login is forgotten.
    expect((await client.call('whoami', session)).isError).toBe(true);
    expect((await client.call('whoami', await logInAs('bob'))).text).toBe('200 bob');
  });

  it('notices that the network drops the messages of other nodes, and connects again [security 53]', async () => {
    const redis = await engine();
    const proxy = await startTcpProxy(redis.url);
    onTestFinished(() => proxy.close());
    const admin = new Redis(redis.url);
    onTestFinished(() => admin.disconnect());
    await ready({ url: proxy.through(redis.url) }, { deadlineMs: 60_000 });
    const receivers = async () =>
      String(await admin.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).match(/^id=/gm)?.length;
    await expect.poll(receivers).toBe(1);
    proxy.goSilent();
    // The engine does not notice that the first one is gone.
    await expect.poll(receivers).toBe(2);
  });

  it('shows a page with 503 while the engine is down, which a reload continues', async () => {
    const redis = await engine();
    const { node, client, provider } = await ready(redis, { deadlineMs: 10_000 });
    const started = (await client.call('login', {})).structured;
    const link = String(started.loginUrl);
    const open = (path: string, accept: string) =>
      node.handleRequest(new Request(new URL(path, link), { headers: { accept } }));
    redis.kill('SIGSTOP');
    for (const path of [link, `${link}/code`, '/callback?code=a&state=b']) {
      const page = await open(path, 'text/html');
      expect([page.status, page.headers.get('retry-after')]).toEqual([503, '1']);
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
      const text = await page.text();
      expect(text).toContain('Service unavailable');
      expect(text).toContain('Wait a few seconds, then reload this page.');
      const answer = await open(path, 'application/json');
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    }
    redis.kill('SIGCONT');
    await expect.poll(async () => (await open(link, 'text/html')).status).toBe(200);
    const { code } = await logIn(node, link, { provider, user: 'alice' });
    const { structured } = await client.call('login', { ...named(started), code });
    expect(structured).toMatchObject({ status: 'authenticated' });
  });

  it.each([
    [
      'that is not there',
      'redis://user:canary@127.0.0.1:2/',
      '127.0.0.1:2 cannot be reached: connect ECONNREFUSED',
    ],
    ['whose password is another one', undefined, 'WRONGPASS'],
  ])('names an engine %s when it does not start, and never the password', async (_what, url, why) => {
    const redis = await engine(['--requirepass', 'right']);
    const address = url ?? redis.url.replace('//', '//:canary@');
    const node = startNode({ url: address }, new FaultingProvider());
    onTestFinished(() => node.close());
    const refused: Error = await node.listen({ port: 0 }).then(
      () => new Error('It has started.'),
      (error: Error) => error,
    );
    expect(refused).toMatchObject({ code: 'store_unavailable', message: expect.stringContaining(why) });
    const { port } = new URL(address);
    expect(refused.message).toContain(`The engine at 127.0.0.1:${port} `);
    expect(refused.message).toContain('Start the engine, or correct `url` of `redisCluster`.');
    expect(inspect(refused, { depth: 20, showHidden: true })).not.toContain('canary');
  });

  it.each([
    ['writes dumps', ['--save', '60', '1'], /may write sessions to disk.*Set `save ""`/],
    [
      'writes a log of all commands',
      ['--appendonly', 'yes'],
      /may write sessions to disk.*Set `appendonly no`/,
    ],
    ['writes a dump for its replicas', ['--repl-diskless-sync', 'no'], /Set `repl-diskless-sync yes`/],
    ['evicts keys', ['--maxmemory-policy', 'allkeys-lru'], /evicts keys.*Set `maxmemory-policy noeviction`/],
  ])('does not start with an engine that %s [security 51]', async (_what, options, message) => {
    const redis = await engine(options);
    const node = startNode(redis, new FaultingProvider());
    onTestFinished(() => node.close());
    await expect(node.listen({ port: 0 })).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(message),
    });
    expect(await readyOf(node)).toBe(503);
  });

  it('does not start with an engine whose replica writes dumps [security 51]', async () => {
    const primary = await engine();
    const replica = await engine([
      '--replicaof',
      `127.0.0.1 ${primary.port}`,
      '--repl-diskless-load',
      'disabled',
    ]);
    const node = startNode(primary, new FaultingProvider());
    onTestFinished(() => node.close());
    await expect
      .poll(() => node.listen({ port: 0 }).catch(({ message }: Error) => message))
      .toMatch(
        new RegExp(`127.0.0.1:${replica.port} may write sessions to disk.*Set \`repl-diskless-load swapdb\``),
      );
  });

  it('does not start with other master keys than those of the cluster [security 51]', async () => {
    const redis = await engine();
    await ready(redis);
    const keys = [`b:${randomBytes(32).toString('base64')}`];
    const other = startNode(redis, new FaultingProvider(), {}, { keys });
    onTestFinished(() => other.close());
    await expect(other.listen({ port: 0 })).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('none of `keys` opens its marker'),
    });
  });

  it('needs no more rights than the documentation lists', async () => {
    const redis = await engine();
    const [, rights = ''] = /`ACL SETUSER sessions on >… ([^`]+)`/.exec(PAGE) ?? [];
    const admin = new Redis(redis.url);
    await admin.call('ACL', 'SETUSER', 'sessions', 'on', '>secret', ...rights.split(' '));
    admin.disconnect();
    expect(rights).toBe(leastRights());
    const warned: string[] = [];
    const { client, logInAs } = await ready(
      { ...redis, url: redis.url.replace('//', '//sessions:secret@') },
      {},
      warned,
    );
    expect(warned.filter((text) => text.includes('fewer rights'))).toEqual([]);
    expect((await client.call('whoami', await logInAs('alice'))).text).toBe('200 alice');
    const user = new Redis(redis.url.replace('//', '//sessions:secret@'));
    onTestFinished(() => user.disconnect());
    for (const command of [
      ['BGSAVE'],
      ['CONFIG', 'SET', 'save', '60 1'],
      ['KEYS', '*'],
      ['MONITOR'],
      ['GET', 'x'],
    ])
      await expect(user.call(command[0] ?? '', ...command.slice(1))).rejects.toThrow('NOPERM');
  });

  it('warns of a user that can make the engine write to disk [security 51]', async () => {
    const warned: string[] = [];
    const redis = await engine();
    await ready(redis, {}, warned);
    expect(warned).toContainEqual(
      expect.stringContaining(
        `The user "default" of the engine at 127.0.0.1:${redis.port} can make it write sessions to disk (BGSAVE, CONFIG SET).`,
      ),
    );
  });

  it('serves sessions under a new master key, and starts without the old one when it is not needed any more', async () => {
    const redis = await engine();
    const { node, logInAs } = await ready(redis);
    const session = await logInAs('alice');
    const next = `b:${randomBytes(32).toString('base64')}`;
    const provider = new FaultingProvider();
    const started = (keys: string[]) => {
      const other = startNode(redis, provider, {}, { keys });
      onTestFinished(() => other.close());
      return other;
    };
    await expect(started([next, MASTER_KEY]).listen({ port: 0 })).rejects.toMatchObject({
      message: expect.stringContaining('The master key `b` is the first of `keys`, and another server'),
    });
    const accepting = started([MASTER_KEY, next]);
    await expect.poll(() => readyOf(accepting)).toBe(200);
    await node.close();
    const rotated = started([next, MASTER_KEY]);
    await expect.poll(() => readyOf(rotated)).toBe(200);
    await expect(started([next]).listen({ port: 0 })).rejects.toMatchObject({
      message: expect.stringContaining('The marker is sealed under the key `a`; `keys` has `b`.'),
    });
    const status = await inMemory2026(rotated).call('session_status', session);
    expect(status.text).toContain('alice');
    await accepting.close();
    const last = started([next, MASTER_KEY]);
    await expect.poll(() => readyOf(last)).toBe(200);
    // It is refused until the last one has moved what is left.
    const retired = started([next]);
    await expect.poll(() => readyOf(retired)).toBe(200);
    expect((await inMemory2026(retired).call('session_status', session)).text).toContain('alice');
  });
});
