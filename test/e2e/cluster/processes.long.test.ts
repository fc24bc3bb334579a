import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Balancer, startBalancer } from '../../support/balancer.js';
import { Browser } from '../../support/browser.js';
import { freePort } from '../../support/free-port.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../../support/identity-provider-process.js';
import { isInstalled } from '../../support/installed-program.js';
import { client2026, logIn } from '../../support/raw-mcp.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { type ServerProcess, startServer } from '../../support/server-process.js';

const MASTER_KEY = randomBytes(32).toString('base64');
/** A key that no server has. */
const LAST = 'the last command';
let redis: RedisServer;
let provider: IdentityProviderProcess;
let balancer: Balancer;
const servers: ServerProcess[] = [];

async function addServer(): Promise<void> {
  const port = await freePort();
  const server = await startServer({
    flags: [...provider.toolFlags, '--port', String(port)],
    environment: {
      ...provider.serverEnvironment,
      MCP_SESSIONS_PUBLIC_URL: balancer.url,
      MCP_SESSIONS_REDIS_URL: redis.url,
      MCP_SESSIONS_MASTER_KEYS: `a:${MASTER_KEY}`,
    },
  });
  servers.push(server);
  balancer.add(port);
}

const mcp = () => `${balancer.url}/mcp`;

/** How a text appears in others: as it is, in hexadecimal, and in base64 at any offset. */
function formsOf(text: string): string[] {
  const inBase64 = [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.from(' '.repeat(offset) + text);
    // What the neighbors change is left out.
    return [bytes.toString('base64'), bytes.toString('base64url')].map((form) => form.slice(4, -4));
  });
  return [text, Buffer.from(text).toString('hex'), ...inBase64];
}

/** Everything that clients of the engine send to it, from now on. */
async function watchEngine() {
  const admin = new Redis(redis.url);
  const monitor = await admin.monitor();
  let commands = 0;
  let seen = '';
  monitor.on('monitor', (_time: string, args: string[]) => {
    commands++;
    seen += `${args.join(' ')}\n`;
  });
  return {
    /** What was sent, and a dump of all keys. */
    async end() {
      await admin.get(LAST);
      await expect.poll(() => seen).toContain(LAST);
      const keys = await admin.keys('*');
      const dumps = await Promise.all(keys.map((key) => admin.dumpBuffer(key)));
      monitor.disconnect();
      admin.disconnect();
      return { commands, text: [seen, ...keys, ...dumps.map((dump) => dump?.toString('latin1'))].join('\n') };
    },
  };
}

describe.skipIf(!isInstalled(REDIS))('three processes with one engine', () => {
  beforeAll(async () => {
    [redis, provider, balancer] = await Promise.all([
      startRedis(),
      startIdentityProviderProcess(),
      startBalancer(),
    ]);
    for (let server = 0; server < 3; server++) await addServer();
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop('SIGKILL')));
    await Promise.all([balancer?.close(), provider?.stop(), redis?.stop()]);
  });

  it('send nothing to the engine that names a user or a token [security 50]', async () => {
    const watched = await watchEngine();
    const client = await logIn(client2026(mcp()), new Browser(), 'canary-of-the-user');
    expect((await client.call('whoami')).text).toContain('canary-of-the-user');
    const { commands, text } = await watched.end();
    expect(commands).toBeGreaterThan(20);
    expect(text).toContain('{ms}:s:');
    const secrets = ['canary-of-the-user', client.secret, MASTER_KEY, ...provider.issued.entries];
    expect(provider.issued.entries.length).toBeGreaterThanOrEqual(2);
    expect(secrets.filter((secret) => formsOf(secret).some((form) => text.includes(form)))).toEqual([]);
  });

  it('lose no login when one after the other is killed, as long as one is left', async () => {
    const users = ['alice', 'bob', 'carol'];
    const clients = await Promise.all(users.map((user) => logIn(client2026(mcp()), new Browser(), user)));
    for (const server of servers.slice(0, 2)) {
      expect(await server.stop('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
      for (const [at, client] of clients.entries())
        expect((await client.call('whoami')).text).toContain(users[at]);
    }
    await addServer();
    for (const client of clients) {
      expect((await client.call('logout')).structured).toMatchObject({ status: 'logged_out' });
      for (let call = 0; call < 2; call++) expect((await client.call('whoami')).isError).toBe(true);
    }
    expect(balancer.broken).toBe(0);
  });
});
