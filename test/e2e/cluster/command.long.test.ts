import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { leastRights } from '../../../packages/sessions/src/store/redis/least-rights.js';
import { freePort } from '../../support/free-port.js';
import { isInstalled } from '../../support/installed-program.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { runServer, startServer } from '../../support/server-process.js';

/** No server listens on port 2. */
const NOWHERE = 'http://127.0.0.1:2';
const TOOLS = fileURLToPath(new URL('../../support/notes-tools.mjs', import.meta.url));
const FLAGS = ['--tools', TOOLS];
const OPERATOR = {
  MCP_SESSIONS_ISSUER: NOWHERE,
  MCP_SESSIONS_CLIENT_ID: 'client',
  MCP_SESSIONS_API_ORIGINS: NOWHERE,
  MCP_SESSIONS_PUBLIC_URL: 'http://127.0.0.1:3000',
};
let redis: RedisServer;
let folder: string;

/** A file with a new master key of the command, which its owner only can read. */
async function keyFile(name: string): Promise<string> {
  const { code, stdout } = await runServer({ flags: ['keygen'] });
  expect([code, stdout.length]).toEqual([0, 1]);
  const path = join(folder, name);
  await writeFile(path, `${stdout[0]}\n`, { mode: 0o600 });
  return path;
}

const environmentOf = (url: string, keys: string) => ({
  ...OPERATOR,
  MCP_SESSIONS_REDIS_URL: url,
  MCP_SESSIONS_MASTER_KEYS_FILE: keys,
});

describe.skipIf(!isInstalled(REDIS))('the command with an engine', () => {
  beforeAll(async () => {
    redis = await startRedis(['--requirepass', 'canary']);
    folder = await mkdtemp(join(tmpdir(), 'cluster-command-'));
  });
  afterAll(async () => {
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('is ready when it uses the engine, and starts beside others with the same keys only', async () => {
    const url = redis.url.replace('//', '//:canary@');
    const keys = await keyFile('keys');
    for (const port of [await freePort(), await freePort()]) {
      const flags = [...FLAGS, '--port', String(port)];
      const server = await startServer({ flags, environment: environmentOf(url, keys) });
      onTestFinished(async () => void (await server.stop()));
      const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
      expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok' }]);
    }
    const client = new Redis(url);
    onTestFinished(() => client.disconnect());
    expect(await client.exists('{ms}:cluster')).toBe(1);
    const other = await runServer({ flags: FLAGS, environment: environmentOf(url, await keyFile('others')) });
    expect(other.code).not.toBe(0);
    expect(other.stderr.join('\n')).toContain(
      'none of MCP_SESSIONS_MASTER_KEYS_FILE opens its marker. Use the keys of the other nodes',
    );
  });

  it.each([
    ['is not there', 'redis://:canary@127.0.0.1:2', '127.0.0.1:2 cannot be reached: connect ECONNREFUSED'],
    ['has another password', undefined, 'WRONGPASS'],
  ])('says which setting to correct if the engine %s, without the password', async (_what, given, why) => {
    const url = given ?? redis.url.replace('//', '//:canary2@');
    const { code, stderr } = await runServer({
      flags: FLAGS,
      environment: environmentOf(url, await keyFile('unused')),
    });
    expect(code).not.toBe(0);
    const text = stderr.join('\n');
    expect(text).toContain(`The engine at ${new URL(url).host} cannot be reached`);
    expect(text).toContain(why);
    expect(text).toContain('Start the engine, or correct MCP_SESSIONS_REDIS_URL.');
    expect(text).not.toContain('canary');
  });

  it('prints the fewest rights of a user of the engine when it checks', async () => {
    const environment = {
      ...environmentOf(redis.url, await keyFile('checked')),
      MCP_SESSIONS_REDIS_NAMESPACE: 'shop',
    };
    const { stdout } = await runServer({ flags: ['check'], environment });
    expect(stdout.slice(-2)).toEqual([
      'The fewest rights of the user of the engine:',
      `ACL SETUSER sessions on >PASSWORD ${leastRights('shop')}`,
    ]);
    expect(stdout.at(-1)).toContain('~{shop}:* &{shop}:* ');
    // This engine has a password.
    expect(stdout.join('\n')).toMatch(/The master keys of the engine:\n\? .*NOAUTH/);
  });

  it('prints which master keys are in use when it checks', async () => {
    const keys = await keyFile('asked');
    const environment = {
      ...environmentOf(redis.url.replace('//', '//:canary@'), keys),
      MCP_SESSIONS_REDIS_NAMESPACE: 'asked',
    };
    const [id] = (await readFile(keys, 'utf8')).split(':');
    const linesOfKeys = async () => {
      const { stdout } = await runServer({ flags: ['check'], environment });
      return stdout.filter((line) => line.includes(`${id}:`));
    };
    expect(await linesOfKeys()).toEqual([`– ${id}: no record, first key of 0 of 0 servers`]);
    const flags = [...FLAGS, '--port', String(await freePort())];
    const server = await startServer({ flags, environment });
    onTestFinished(async () => void (await server.stop()));
    expect(await linesOfKeys()).toEqual([`✓ ${id}: records, first key of 1 of 1 servers`]);
    const other = { ...environment, MCP_SESSIONS_MASTER_KEYS_FILE: await keyFile('wrong') };
    const { stdout } = await runServer({ flags: ['check'], environment: other });
    expect(stdout).toContain(`✗ ${id}: records, first key of 1 of 1 servers. This configuration lacks it`);
  });

  it('says which setting is no URL of an engine, without its value', async () => {
    const { code, stderr } = await runServer({
      flags: FLAGS,
      environment: environmentOf('https://:canary@localhost', await keyFile('unused')),
    });
    expect(code).not.toBe(0);
    expect(stderr.join('\n')).toContain('MCP_SESSIONS_REDIS_URL must begin with redis:// or rediss://');
    expect(stderr.join('\n')).not.toContain('canary');
  });
});
