import { fork } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSessions } from 'mcp-sessions';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Browser } from '../support/browser.js';
import { end, own } from '../support/child-processes.js';
import { ELICITING_KINDS } from '../support/eliciting-clients.js';
import {
  type IdentityProviderProcess,
  type IdentityProviderProcessOptions,
  startIdentityProviderProcess,
} from '../support/identity-provider-process.js';
import { eventually, Journal } from '../support/journal.js';
import { CLIENT_KINDS } from '../support/mcp-clients.js';
import { send } from '../support/raw-mcp.js';
import { runServer } from '../support/server-process.js';
import { connectStdio, type StdioClient, type StdioClientOptions } from './stdio-clients.js';
import {
  isAlive,
  listeningAddresses,
  MAIN,
  type StdioOptions,
  type StdioProcess,
  startStdio,
} from './stdio-process.js';

const LIBRARY_CHILD = fileURLToPath(new URL('./stdio-library-child.mjs', import.meta.url));
const CLIENT_CHILD = fileURLToPath(new URL('./stdio-client-child.mjs', import.meta.url));

let provider: IdentityProviderProcess;
let folder: string;
const closing = new Set<() => Promise<unknown>>();

beforeAll(async () => {
  provider = await startIdentityProviderProcess();
  folder = await mkdtemp(join(tmpdir(), 'stdio-'));
});
afterAll(async () => {
  await provider.stop();
  await rm(folder, { recursive: true });
});
afterEach(async () => {
  await Promise.all([...closing].map((close) => close()));
  closing.clear();
});

/** What a server in front of a provider is started with. */
function inFrontOf({ toolFlags, serverEnvironment }: IdentityProviderProcess, environment = {}) {
  return { flags: toolFlags, environment: { ...serverEnvironment, ...environment } };
}

async function start(options: StdioOptions): Promise<StdioProcess> {
  const server = await startStdio(options);
  closing.add(() => server.stop());
  return server;
}

async function connect(kind: (typeof CLIENT_KINDS)[number], options: StdioClientOptions) {
  const client = await connectStdio(kind, options);
  closing.add(() => client.close());
  return client;
}

async function ownProvider(options: IdentityProviderProcessOptions = {}): Promise<IdentityProviderProcess> {
  const own = await startIdentityProviderProcess(options);
  onTestFinished(() => own.stop());
  return own;
}

/** Logs in at a server that is spoken to by hand. */
async function logIn(server: StdioProcess, username: string): Promise<void> {
  const { structured } = await server.call('login');
  await new Browser().logIn(String(structured.loginUrl), username);
  const completed = await server.call('login');
  expect(completed.structured).toMatchObject({ status: 'authenticated', account: { subject: username } });
}

async function add(client: Pick<StdioClient, 'call'>, text: string): Promise<unknown> {
  const { structured } = await client.call('add_note', { text });
  return structured;
}

describe.each(CLIENT_KINDS)('over stdio, %s', (kind) => {
  it('logs in, works, is refreshed, logs out and logs in again', async () => {
    const strict = await ownProvider({ accessTokenSeconds: 4 });
    const client = await connect(kind, inFrontOf(strict));
    expect(client.protocolVersion).toBe(/2025|1[.]x/.test(kind) ? '2025-11-25' : '2026-07-28');
    expect((await client.call('session_status')).structured).toMatchObject({
      state: 'anonymous',
      next: 'Call `login` to log in.',
    });
    expect(await client.call('whoami')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/call .*`login`/i),
    });

    expect((await client.logIn('alice')).structured).toMatchObject({ account: { subject: 'alice' } });
    const note = await add(client, 'milk');
    expect((await client.call('list_notes')).structured).toEqual({ notes: [note] });

    const [first, , ...renewed] = await strict.issued.until('a second pair of tokens', (tokens) =>
      tokens.length >= 4 ? tokens : undefined,
    );
    expect(renewed).not.toContain(first);
    expect((await client.call('list_notes')).structured).toEqual({ notes: [note] });

    expect((await client.call('logout')).structured).toEqual({
      status: 'logged_out',
      accounts: [{ provider: expect.any(String), revocation: 'confirmed' }],
    });
    expect(await strict.activeTokens()).toEqual([]);
    expect((await client.call('session_status')).structured).toMatchObject({
      state: 'anonymous',
      signedOut: 'logout',
    });
    expect((await client.logIn('bob')).structured).toMatchObject({ account: { subject: 'bob' } });
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'bob' });
    expect(client.errors).toEqual([]);

    await client.close();
    expect(isAlive(client.pid)).toBe(false);
    expect(await strict.activeTokens()).toEqual([]);
  });

  it('is told of no session handle, in no tool and no text', async () => {
    const client = await connect(kind, inFrontOf(provider));
    const tools = await client.tools();
    const pending = await client.call('login');
    const completed = await client.logIn('alice');
    expect(tools.map(({ name }) => name)).toContain('login');
    for (const { inputSchema } of tools) {
      expect(Object.keys(inputSchema.properties ?? {})).not.toContain('session');
    }
    expect(completed.structured.status).toBe('authenticated');
    for (const { structured } of [pending, completed]) {
      expect(structured).not.toHaveProperty('session');
    }
    const said = JSON.stringify([tools, client.instructions, pending, completed]);
    expect(said).toContain('`login`');
    expect(said).not.toMatch(/`session`|session handle/i);
  });

  it('hears when the status of its session changes', async () => {
    const client = await connect(kind, inFrontOf(provider));
    const changes = new Journal<string>();
    await client.subscribe('session://status', (uri) => changes.add(uri));
    await client.logIn('alice');
    await changes.until('the start and the end of the login', (heard) => heard.length >= 2 || undefined);
    const before = changes.entries.length;
    await client.call('logout');
    await changes.until('the logout', (heard) => heard.length > before || undefined);
    expect(new Set(changes.entries)).toEqual(new Set(['session://status']));
  });

  it('serves the sample to two processes side by side, a user each', async () => {
    const [first, second] = await Promise.all([connect(kind, {}), connect(kind, {})]);
    await Promise.all([first.logIn('alice'), second.logIn('bob')]);
    expect((await first.call('whoami')).structured).toMatchObject({ subject: 'alice' });
    expect((await second.call('whoami')).structured).toMatchObject({ subject: 'bob' });
    await first.call('logout');
    await first.close();
    expect((await first.call('whoami').catch(String)).toString()).toMatch(/closed|not connected/i);
    expect((await second.call('whoami')).structured).toMatchObject({ subject: 'bob' });
  });
});

/** A desktop whose browser only writes down what it is asked to open. */
async function recordingDesktop() {
  const home = await mkdtemp(join(folder, 'home-'));
  const [browser, opened] = [join(home, 'browser'), join(home, 'opened')];
  const received = join(home, 'environment');
  await writeFile(browser, `#!/bin/sh\nenv > '${received}'\nprintf '%s\\n' "$1" >> '${opened}'\n`);
  await chmod(browser, 0o755);
  return {
    // Nothing of the machine's own desktop may come in between.
    environment: { DISPLAY: ':0', BROWSER: browser, HOME: home, XDG_DATA_DIRS: home, XDG_CONFIG_DIRS: home },
    /** The environment of the browser, once it has been opened. */
    received: () => readFile(received, 'utf8'),
    async links(): Promise<string[]> {
      const text = await readFile(opened, 'utf8').catch(() => '');
      return text.split('\n').filter(Boolean);
    },
  };
}

describe('a client that opens addresses itself', () => {
  it.each(ELICITING_KINDS)('is asked to over stdio, and no browser is opened besides: %s', async (name) => {
    const kind = name === 'SDK 2.x in 2026' ? 'SDK 2.x pinned to 2026' : name;
    const desktop = await recordingDesktop();
    const asked: string[] = [];
    const client = await connect(kind, {
      ...inFrontOf(provider, desktop.environment),
      open: async ({ url }) => {
        asked.push(url);
        await new Browser().logIn(url, 'alice');
        return 'accept';
      },
    });
    const { structured } = await client.call('login');
    expect(structured).toMatchObject({ status: 'authenticated', account: { subject: 'alice' } });
    expect(asked).toHaveLength(1);
    await client.close();
    expect(await desktop.links()).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('the browser', () => {
  it('is opened at the link when a login starts, once, without the server’s environment, and the link is in the result too', async () => {
    const desktop = await recordingDesktop();
    const server = await start(inFrontOf(provider, desktop.environment));
    const { structured } = await server.call('login');
    const opened = await eventually('the browser', async () => {
      const links = await desktop.links();
      return links.length > 0 ? links : undefined;
    });
    expect(opened).toEqual([structured.loginUrl]);
    expect(await desktop.received()).toMatch(/^DISPLAY=:0$/m);
    expect(await desktop.received()).not.toContain('MCP_SESSIONS_');
    expect((await server.call('login')).structured.loginUrl).toBe(structured.loginUrl);
    await new Browser().logIn(String(opened[0]), 'alice');
    expect((await server.call('login')).structured.status).toBe('authenticated');
    await server.stop('SIGTERM');
    expect(await desktop.links()).toEqual([structured.loginUrl]);
  });

  it('that cannot be opened is no error', async () => {
    const desktop = await recordingDesktop();
    const environment = { ...desktop.environment, BROWSER: '/does/not/exist' };
    const server = await start(inFrontOf(provider, environment));
    await logIn(server, 'alice');
  });

  it.each([
    ['there is no display', { DISPLAY: '' }, []],
    ['it is told not to', {}, ['--no-browser']],
  ])('is not opened when %s', async (_why, environment, flags) => {
    const desktop = await recordingDesktop();
    const server = await start({
      command: [MAIN, '--stdio', ...flags, ...provider.toolFlags],
      environment: { ...provider.serverEnvironment, ...desktop.environment, ...environment },
    });
    await logIn(server, 'alice');
    await server.stop('SIGTERM');
    expect(await desktop.links()).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('the port that logins come back to', () => {
  it('is opened when the first login starts, on loopback only, and one for all logins [security 43]', async () => {
    const server = await start(inFrontOf(provider));
    await server.call('session_status');
    expect(await listeningAddresses(server.pid)).toEqual([]);
    const { structured } = await server.call('login');
    const { port } = new URL(String(structured.loginUrl));
    const loopback = `0100007F:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`;
    expect(await listeningAddresses(server.pid)).toEqual([loopback]);
    await server.call('logout');
    await logIn(server, 'alice');
    expect(await listeningAddresses(server.pid)).toEqual([loopback]);
  });

  it('serves logins and nothing else, and only under its own name [security 43]', async () => {
    const server = await start(inFrontOf(provider));
    const { structured } = await server.call('login');
    const loginUrl = String(structured.loginUrl);
    const rebound = await send(loginUrl, { headers: { host: 'evil.example.com' } });
    expect(rebound.status).toBe(403);
    expect((await fetch(loginUrl, { headers: { origin: 'https://evil.example.com' } })).status).toBe(403);
    expect((await fetch(loginUrl)).status).toBe(200);
    for (const path of ['/mcp', '/healthz', '/']) {
      const answer = await fetch(new URL(path, loginUrl), { method: 'POST' });
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });
});

describe('the process over stdio', () => {
  const endings: [string, (server: StdioProcess) => void][] = [
    ['the client closes stdin', ({ stdin }) => void stdin.end()],
    [
      'the client does not read stdout any more',
      ({ stdout, send }) => {
        stdout.destroy();
        send({ id: 'last', method: 'ping' });
      },
    ],
    ['SIGTERM comes', ({ pid }) => void process.kill(pid, 'SIGTERM')],
    ['SIGINT comes', ({ pid }) => void process.kill(pid, 'SIGINT')],
    [
      'SIGINT comes twice',
      ({ pid }) => {
        process.kill(pid, 'SIGINT');
        process.kill(pid, 'SIGINT');
      },
    ],
  ];

  it.each(endings)('ends with everything revoked when %s [security 34]', async (_when, act) => {
    const upstream = await ownProvider();
    const server = await start(inFrontOf(upstream));
    await logIn(server, 'alice');
    expect(await upstream.activeTokens()).toHaveLength(2);
    act(server);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(await upstream.activeTokens()).toEqual([]);
  });

  it('ends although the provider does not answer', async () => {
    const upstream = await ownProvider();
    const server = await start(inFrontOf(upstream));
    await logIn(server, 'alice');
    upstream.freeze();
    server.stdin.end();
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it('ends although a client dies that has everything open and reads nothing', async () => {
    const server = await start(inFrontOf(provider));
    await server.call('login');
    server.stdout.destroy();
    server.stdin.destroy();
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it.each([
    ['program', '2025'],
    ['program', '2026'],
    ['library', '2025'],
    ['library', '2026'],
  ])('does not outlive a client that is killed while its user logs in: %s, %s', async (what, era) => {
    const program = [MAIN, '--stdio', '--log-level', 'debug', ...provider.toolFlags];
    const command = what === 'program' ? program : [LIBRARY_CHILD];
    const child = own(
      fork(CLIENT_CHILD, [process.execPath, ...command], {
        execArgv: [],
        env: { PATH: process.env.PATH, ERA: era, ...provider.serverEnvironment },
      }),
    );
    const heard = new Journal<{ pid?: number; url?: string }>();
    child.on('message', (message) => heard.add(message as { pid?: number; url?: string }));
    const { pid = 0 } = await heard.first('the server', (message) => message.pid !== undefined);
    const { url } = await heard.first('the link', (message) => message.url !== undefined);
    expect(isAlive(pid)).toBe(true);
    await end(child, 'SIGKILL');
    await eventually('the end of the server', async () => (isAlive(pid) ? undefined : true));
    await expect(fetch(String(url))).rejects.toThrow('fetch failed');
  });

  it('says nothing but messages on stdout, whatever happens', async () => {
    const server = await start({ flags: ['--access-token-seconds', '2'] });
    await server.call('login', { provider: 'nobody' });
    await server.call('login', { code: 'wrong' });
    await logIn(server, 'alice');
    await server.stderr.first('a refresh', (line) => line.includes('"account.refreshed"'));
    await add(server, 'milk');
    server.stdin.write('this is no JSON\n');
    server.send({ id: 'none', method: 'no/such/method' });
    await server.lines.first('the refusal', (line) => line.includes('"none"'));
    await server.call('logout');
    server.stdin.end();
    await server.ended;
    for (const line of server.lines.entries) {
      expect(JSON.parse(line)).toMatchObject({ jsonrpc: '2.0' });
    }
    expect(server.stderr.entries[0]).toBe(
      'notes: waiting for an MCP client on stdin. Clients start this by themselves; --help says more.',
    );
  });

  it('is refused together with what belongs to HTTP, in one line', async () => {
    for (const flags of [['--json'], ['--port', '0']]) {
      expect(await runServer({ flags: ['--stdio', ...flags] })).toEqual({
        code: 1,
        signal: null,
        stdout: [],
        stderr: [expect.stringMatching(/^With --stdio, .*[.] Leave out --(json|port) or --stdio[.]$/)],
      });
    }
  });
});

describe('serveStdio', () => {
  it('resolves when all is revoked, lets go of its process, and shares its object with nothing else', async () => {
    const upstream = await ownProvider();
    const server = await start({ command: [LIBRARY_CHILD], environment: upstream.serverEnvironment });
    await logIn(server, 'alice');
    server.stdin.end();
    await server.stderr.first('the end', (line) => line === 'over');
    expect(await upstream.activeTokens()).toEqual([]);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.stderr.entries).toEqual(
      expect.arrayContaining(['again: configuration', 'listen: configuration', 'fetch: configuration']),
    );
  });

  it('is refused with a public URL, and on an object that serves HTTP', async () => {
    const options = {
      server: { name: 'test', version: '1.0.0' },
      provider: { issuer: provider.issuer, clientId: 'test' },
      apiOrigins: [],
      tools: () => undefined,
    };
    const published = createSessions({ ...options, publicUrl: 'http://127.0.0.1:3000' });
    await expect(published.serveStdio()).rejects.toMatchObject({ code: 'configuration' });
    const listening = createSessions(options);
    await listening.listen({ port: 0 });
    await expect(listening.serveStdio()).rejects.toMatchObject({ code: 'configuration' });
    await listening.close();
  });
});
