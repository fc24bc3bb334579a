import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Browser } from '../support/browser.js';
import { end, own } from '../support/child-processes.js';
import { freePort } from '../support/free-port.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../support/identity-provider-process.js';
import { client2026, connect2025, type RawClient, send, startLogin } from '../support/raw-mcp.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLES = join(root, 'examples');
const TSC = join(root, 'node_modules/.bin/tsc');
const NEXT = 'node_modules/next/dist/bin/next';

/** A framework that is too large to be a dependency of the repository. */
interface Framework {
  /** The folder in examples/. */
  readonly name: string;
  /** Compiles the example, which checks its types. */
  build(folder: string): Promise<unknown>;
  /** The arguments with which Node starts it. */
  start(port: number): readonly string[];
}

const FRAMEWORKS: readonly Framework[] = [
  {
    name: 'nextjs',
    build: (folder) => run(process.execPath, [NEXT, 'build'], { cwd: folder, env: environment() }),
    start: (port) => [NEXT, 'start', '--hostname', '127.0.0.1', '--port', String(port)],
  },
  {
    name: 'nestjs',
    async build(folder) {
      await cp(join(EXAMPLES, 'notes.ts'), join(folder, 'notes.ts'));
      await cp(join(EXAMPLES, 'nestjs/main.ts'), join(folder, 'nestjs/main.ts'));
      const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
      const folders = ['--rootDir', '.', '--outDir', 'dist', '--ignoreConfig'];
      const decorators = ['--experimentalDecorators', '--skipLibCheck'];
      await run(TSC, [...options, ...folders, ...decorators, 'nestjs/main.ts'], { cwd: folder });
    },
    start: () => ['dist/nestjs/main.js'],
  },
];

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, NEXT_TELEMETRY_DISABLED: '1' };
}

let provider: IdentityProviderProcess;
beforeAll(async () => {
  provider = await startIdentityProviderProcess();
});
afterAll(() => provider?.stop());

/** Logs in, with the code if the page shows one. */
async function logIn(client: RawClient, user: string): Promise<void> {
  const { text: page } = await new Browser().logIn(await startLogin(client), user);
  const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page)?.[0];
  const { structured } = await client.call('login', code === undefined ? {} : { code });
  expect(structured).toMatchObject({ status: 'authenticated', account: { subject: user } });
}

describe.each(FRAMEWORKS)('examples/$name', ({ name, build, start }) => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), `mcp-sessions-${name}-`));
    await cp(join(EXAMPLES, name), folder, { recursive: true });
    const library = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
    await run('npm', library, { cwd: join(root, 'packages/sessions') });
    const [packed = ''] = (await readdir(folder)).filter((file) => file.endsWith('.tgz'));
    const quiet = ['--no-audit', '--no-fund', '--no-package-lock'];
    await run('npm', ['install', ...quiet, join(folder, packed)], { cwd: folder });
    await build(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('serves clients of both eras as their users, serves its own page, and shuts down in order', async () => {
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const child = own(
      spawn(process.execPath, [...start(port)], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...environment(),
          ...provider.serverEnvironment,
          PORT: String(port),
          PUBLIC_URL: origin,
          NEXT_MANUAL_SIG_HANDLE: 'true',
        },
      }),
    );
    child.stdout.resume();
    child.stderr.resume();
    onTestFinished(async () => void (await end(child, 'SIGKILL')));
    await expect.poll(() => send(origin).catch(() => undefined)).toMatchObject({ status: 200 });
    expect((await send(origin)).text).toContain('Notes of all users');

    const clients = [await connect2025(`${origin}/mcp`), client2026(`${origin}/mcp`)];
    for (const [index, client] of clients.entries()) {
      const user = `user${index}`;
      await logIn(client, user);
      expect(JSON.parse((await client.call('whoami')).text)).toMatchObject({ name: user });
    }
    for (const host of ['evil.example.com', `evil.example.com:${port}`]) {
      expect(await send(`${origin}/mcp`, { headers: { host } })).toMatchObject({ status: 403 });
    }
    const [first] = clients;
    const headers = { accept: 'text/event-stream', 'mcp-session-id': first?.secret ?? '' };
    const stream = await fetch(`${origin}/mcp`, { headers });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');

    expect(await provider.activeTokens()).not.toEqual([]);
    expect(await end(child, 'SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await provider.activeTokens()).toEqual([]);
    await stream.text().catch(() => '');
  });
});
