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
import { launchServer, runServer, type ServerProcess, startServer } from '../../support/server-process.js';

// Nothing else in the engine has these names.
const [OLD, NEW] = ['master-key-of-2025', 'master-key-of-2026'];
const keyOf = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const [OLD_KEY, NEW_KEY] = [keyOf(OLD), keyOf(NEW)];
let redis: RedisServer;
let provider: IdentityProviderProcess;
let balancer: Balancer;
const ports: number[] = [];
const servers: ServerProcess[] = [];

const optionsOf = (port: number, keys: readonly string[]) => ({
  flags: [...provider.toolFlags, '--port', String(port)],
  environment: {
    ...provider.serverEnvironment,
    MCP_SESSIONS_PUBLIC_URL: balancer.url,
    MCP_SESSIONS_REDIS_URL: redis.url,
    MCP_SESSIONS_MASTER_KEYS: keys.join(' '),
  },
});

/** The answers of calls, one after the other. */
const answers: string[] = [];

/** Restarts one server after the other, with these master keys. The balancer sends it nothing meanwhile. */
async function deploy(...keys: readonly string[]): Promise<void> {
  for (const [at, port] of ports.entries()) {
    balancer.only = ports[1 - at];
    // The call that the server may have had is answered.
    const before = answers.length;
    await expect.poll(() => answers.length).toBeGreaterThan(before + 1);
    expect(await servers[at]?.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    servers[at] = await startServer(optionsOf(port, keys));
  }
  balancer.only = undefined;
}

/** The number of keys of the engine whose dump has a text. */
async function keysWith(text: string): Promise<number> {
  const admin = new Redis(redis.url);
  const dumps = await Promise.all((await admin.keys('*')).map((key) => admin.dumpBuffer(key)));
  admin.disconnect();
  expect(dumps.length).toBeGreaterThan(5);
  return dumps.filter((dump) => dump?.includes(text)).length;
}

/** Waits until a server tells that a key can be removed. */
const toldByAny = () =>
  Promise.any(
    servers.map(({ stderr }) =>
      stderr.first('that the old key can be removed', (line) =>
        line.includes(`No record is sealed under the master key \`${OLD}\` any more`),
      ),
    ),
  );

describe.skipIf(!isInstalled(REDIS))('two processes whose master key changes', () => {
  beforeAll(async () => {
    [redis, provider, balancer] = await Promise.all([
      startRedis(),
      startIdentityProviderProcess(),
      startBalancer(),
    ]);
    for (let server = 0; server < 2; server++) {
      const port = await freePort();
      ports.push(port);
      servers.push(await startServer(optionsOf(port, [OLD_KEY])));
      balancer.add(port);
    }
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop('SIGKILL')));
    await Promise.all([balancer?.close(), provider?.stop(), redis?.stop()]);
  });

  it('serve every login through all steps, and keep nothing under the old one [security 51]', async () => {
    const mcp = `${balancer.url}/mcp`;
    const [busy, quiet] = [client2026(mcp), client2026(mcp)];
    await logIn(busy, new Browser(), 'alice');
    await logIn(quiet, new Browser(), 'bob');
    // A login that is under way, with what is kept of it if it fails.
    const waiting = await client2026(mcp).call('login', {});
    expect(waiting.structured).toMatchObject({ loginUrl: expect.any(String) });
    const tokens = provider.issued.entries.length;
    expect(await keysWith(OLD)).toBeGreaterThan(4);

    let isDone = false;
    const calls = (async () => {
      while (!isDone) answers.push(await busy.call('whoami').then(({ text }) => text, String));
    })();
    await deploy(OLD_KEY, NEW_KEY);
    await deploy(NEW_KEY, OLD_KEY);
    await toldByAny();
    await deploy(NEW_KEY);
    isDone = true;
    await calls;

    expect(await keysWith(OLD)).toBe(0);
    expect(await keysWith(NEW)).toBeGreaterThan(4);
    expect(answers.length).toBeGreaterThan(10);
    expect(answers.filter((text) => !text.includes('alice'))).toEqual([]);
    expect(balancer.broken).toBe(0);
    // No user has logged in again, and no token was refreshed.
    expect((await quiet.call('whoami')).text).toContain('bob');
    expect(provider.issued.entries.length).toBe(tokens);
    expect((await fetch(String(waiting.structured.loginUrl))).status).toBe(200);
  });

  it('are joined by none with the old one only, which names both', async () => {
    const refused = launchServer(optionsOf(await freePort(), [OLD_KEY]));
    expect(await refused.ended).toMatchObject({ code: 1 });
    expect(refused.stderr.entries.join('\n')).toContain(
      `The marker is sealed under the key \`${NEW}\`; MCP_SESSIONS_MASTER_KEYS has \`${OLD}\`.`,
    );
  });

  it.each([
    ['nothing about the new one', [NEW_KEY], 0],
    ['that it is missing in a configuration with the old one only', [OLD_KEY], 1],
  ] as const)('are asked by `check`, which says %s', async (_what, keys, expected) => {
    const { flags: _flags, environment } = optionsOf(0, keys);
    const { code, stdout } = await runServer({ flags: ['check'], environment });
    const text = stdout.join('\n');
    expect(text).toContain(`${NEW}: records, first key of 2 of 2 servers`);
    expect([text.includes('This configuration lacks it'), code]).toEqual([expected === 1, expected]);
  });
});
