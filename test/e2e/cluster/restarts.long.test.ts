import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Browser } from '../../support/browser.js';
import { freePort } from '../../support/free-port.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../../support/identity-provider-process.js';
import { isInstalled } from '../../support/installed-program.js';
import { client2026, logIn } from '../../support/raw-mcp.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { runServer, startServer } from '../../support/server-process.js';

const README = new URL('../../../README.md', import.meta.url);
/** The section of the README whose commands configure this. */
const SECTION = /## Restart without a logout[\s\S]*?```sh\n([\s\S]*?)```/;
let provider: IdentityProviderProcess;
let redis: RedisServer;
let folder: string;
/** What the README sets, with the port of this engine and the path of this file of keys. */
let settings: Record<string, string>;

/** What a shell makes of the words of a command. */
function wordsOf(command: string): string[] {
  const script = 'for word in "$@"; do printf "%s\\0" "$word"; done';
  const text = execFileSync('sh', ['-c', `set -- ${command}\n${script}`], { encoding: 'utf8' });
  return text.split('\0').slice(0, -1);
}

/** Starts the engine and makes the key as the README says. */
async function followReadme(): Promise<void> {
  const lines =
    SECTION.exec(await readFile(README, 'utf8'))?.[1]
      ?.trim()
      .split('\n') ?? [];
  expect(lines).toHaveLength(3);
  const [engine = '', keygen = '', exported = ''] = lines;
  const [program, ...options] = wordsOf(engine.replace(/ &$/, ''));
  expect(program).toBe('redis-server');
  redis = await startRedis(options);
  const [, command = '', file = ''] = /mcp-sessions-server (\S+) > (\S+)\)$/.exec(keygen) ?? [];
  const { stdout } = await runServer({ flags: [command] });
  await writeFile(join(folder, file), `${stdout[0]}\n`, { mode: 0o600 });
  const [, ...variables] = wordsOf(exported);
  settings = Object.fromEntries(variables.map((each) => each.split('=') as [string, string]));
  expect(settings).toMatchObject({ MCP_SESSIONS_MASTER_KEYS_FILE: file });
  expect(settings.MCP_SESSIONS_REDIS_URL).toContain('127.0.0.1:6379');
  settings.MCP_SESSIONS_REDIS_URL = redis.url;
}

describe.skipIf(!isInstalled(REDIS))('a server with the engine of the README', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'restarts-'));
    provider = await startIdentityProviderProcess();
    await followReadme();
  });
  afterAll(async () => {
    await Promise.all([provider?.stop(), redis?.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('keeps its logins over %s and a new start', async (signal) => {
    const port = await freePort();
    const start = async () => {
      const server = await startServer({
        folder,
        flags: [...provider.toolFlags, '--port', String(port)],
        environment: {
          ...provider.serverEnvironment,
          ...settings,
          MCP_SESSIONS_PUBLIC_URL: `http://127.0.0.1:${port}`,
        },
      });
      onTestFinished(async () => void (await server.stop('SIGKILL')));
      return server;
    };
    const first = await start();
    const client = await logIn(client2026(`http://127.0.0.1:${port}/mcp`), new Browser(), 'alice');
    expect((await client.call('whoami')).text).toContain('alice');
    const { issued } = provider;
    const before = issued.entries.length;
    const ending = await first.stop(signal);
    expect(ending).toEqual(signal === 'SIGTERM' ? { code: 0, signal: null } : { code: null, signal });
    await start();
    const answer = await client.call('whoami');
    expect([answer.isError, answer.text]).toEqual([false, expect.stringContaining('alice')]);
    // The user has not logged in again, and no token was refreshed.
    expect(issued.entries.length).toBe(before);
    expect((await client.call('logout')).structured).toMatchObject({ status: 'logged_out' });
  });
});
