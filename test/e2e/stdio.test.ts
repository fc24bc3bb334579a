import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSessions } from 'mcp-sessions';
import { describe, expect, it } from 'vitest';
import { Browser } from '../support/browser.js';
import { ELICITING_KINDS } from '../support/eliciting-clients.js';
import { freePort } from '../support/free-port.js';
import { eventually } from '../support/journal.js';
import { send } from '../support/raw-mcp.js';
import { runServer } from '../support/server-process.js';
import { StepBrowser } from '../support/step-browser.js';
import { describeStdioClient } from './stdio-journey.js';
import { listeningAddresses, MAIN } from './stdio-process.js';
import { add, inFrontOf, logIn, ownProvider, setUpStdio } from './stdio-setup.js';

const LIBRARY_CHILD = fileURLToPath(new URL('./stdio-library-child.mjs', import.meta.url));

const setup = setUpStdio();
const { start, connect } = setup;

describeStdioClient('SDK 1.x', setup);
describeStdioClient('SDK 2.x pinned to 2026', setup);

/** What a client gets if another process listens on the port of its redirect URI. */
const portInUse = (port: number) =>
  expect.stringMatching(
    new RegExp(`port ${port} of the redirect URI is in use by another process.*--callback-port`),
  );

/** A desktop whose browser only records the URLs that it is asked to open. */
async function recordingDesktop() {
  const home = await mkdtemp(join(setup.folder, 'home-'));
  const [browser, opened] = [join(home, 'browser'), join(home, 'opened')];
  const received = join(home, 'environment');
  await writeFile(browser, `#!/bin/sh\nenv > '${received}'\nprintf '%s\\n' "$1" >> '${opened}'\n`);
  await chmod(browser, 0o755);
  return {
    // The browser of this machine must not be used.
    environment: { DISPLAY: ':0', BROWSER: browser, HOME: home, XDG_DATA_DIRS: home, XDG_CONFIG_DIRS: home },
    /** The environment of the opened browser. */
    received: () => readFile(received, 'utf8'),
    async links(): Promise<string[]> {
      const text = await readFile(opened, 'utf8').catch(() => '');
      return text.split('\n').filter(Boolean);
    },
  };
}

describe('a client with URL elicitation', () => {
  it.each(ELICITING_KINDS)('gets elicitation, and the server opens no browser: %s', async (name) => {
    const kind = name === 'SDK 2.x in 2026' ? 'SDK 2.x pinned to 2026' : name;
    const desktop = await recordingDesktop();
    const asked: string[] = [];
    const client = await connect(kind, {
      ...inFrontOf(setup.provider, desktop.environment),
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
  it('is opened once at the link when a login starts, without the environment of the server, and the result has the link', async () => {
    const desktop = await recordingDesktop();
    const server = await start(inFrontOf(setup.provider, desktop.environment));
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

  it('causes no error if it cannot be opened', async () => {
    const desktop = await recordingDesktop();
    const environment = { ...desktop.environment, BROWSER: '/does/not/exist' };
    const server = await start(inFrontOf(setup.provider, environment));
    await logIn(server, 'alice');
  });

  it.each([
    ['there is no display', { DISPLAY: '' }, []],
    ['`--no-browser` is set', {}, ['--no-browser']],
  ])('is not opened when %s', async (_why, environment, flags) => {
    const desktop = await recordingDesktop();
    const server = await start({
      command: [MAIN, '--stdio', ...flags, ...setup.provider.toolFlags],
      environment: { ...setup.provider.serverEnvironment, ...desktop.environment, ...environment },
    });
    await logIn(server, 'alice');
    await server.stop('SIGTERM');
    expect(await desktop.links()).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('the callback port', () => {
  it('is opened on loopback when the first login starts, and is used for all logins [security 43]', async () => {
    const server = await start(inFrontOf(setup.provider));
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

  it('serves only logins, and only under its own host name [security 43]', async () => {
    const server = await start(inFrontOf(setup.provider));
    const { structured } = await server.call('login');
    const loginUrl = String(structured.loginUrl);
    const rebound = await send(loginUrl, { headers: { host: 'evil.example.com' } });
    expect(rebound.status).toBe(403);
    expect((await fetch(loginUrl, { headers: { origin: 'https://evil.example.com' } })).status).toBe(403);
    expect((await fetch(loginUrl)).status).toBe(200);
    // A provider could not reach the address for logout tokens.
    for (const path of ['/mcp', '/healthz', '/', '/login/logout/127.0.0.1']) {
      const answer = await fetch(new URL(path, loginUrl), { method: 'POST' });
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });
});

describe.each([
  ['2025', {}],
  ['2026', { modernCapabilities: {} }],
])('a fixed redirect URI (%s)', (_era, client) => {
  const startAt = (port: number, host: string) => {
    const { flags, environment } = inFrontOf(setup.provider);
    const address = ['--callback-port', String(port), '--callback-host', host];
    return start({ ...client, flags: [...flags, ...address], environment });
  };

  it.each(['127.0.0.1', 'localhost'])(
    'completes logins at %s and the configured port, of one client after another',
    async (host) => {
      const port = await freePort();
      const first = await startAt(port, host);
      const { structured } = await first.call('login');
      expect(new URL(String(structured.loginUrl)).host).toBe(`${host}:${port}`);
      const atProvider = await new StepBrowser().consent(String(structured.loginUrl));
      expect(atProvider.searchParams.get('redirect_uri')).toBe(`http://${host}:${port}/callback`);
      const { status, text } = await new Browser().logIn(String(structured.loginUrl), 'alice');
      expect([status, text]).toEqual([200, expect.stringContaining('alice')]);
      expect((await first.call('login')).structured).toMatchObject({ account: { subject: 'alice' } });
      expect((await first.call('whoami')).structured).toMatchObject({ subject: 'alice' });

      const second = await startAt(port, host);
      expect(await second.call('login')).toMatchObject({ isError: true, text: portInUse(port) });
      expect(await second.call('login')).toMatchObject({ isError: true, text: portInUse(port) });
      const logged = await second.stderr.first('the reason', (line) => line.includes('callbackPort'));
      expect(JSON.parse(logged)).toMatchObject({
        level: 40,
        setting: 'callbackPort',
        port,
        msg: portInUse(port),
      });
      expect((await second.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
      // The first client is still logged in.
      expect((await first.call('whoami')).structured).toMatchObject({ subject: 'alice' });

      first.stdin.end();
      await first.ended;
      await logIn(second, 'bob');
      expect((await second.call('logout')).structured).toMatchObject({
        accounts: [{ revocation: 'confirmed' }],
      });
    },
  );
});

describe('the process over stdio', () => {
  it('writes only messages to stdout', async () => {
    const server = await start({ flags: ['--access-token-seconds', '2'] });
    await server.call('login', { provider: 'unknown' });
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
      'notes: waiting for an MCP client on stdin. MCP clients start this command themselves; see --help.',
    );
  });

  it('returns the link from the next `login` to a 2026 client that treats elicitation as a failure', async () => {
    const modernCapabilities = { elicitation: { url: {} } };
    const server = await start({ flags: ['--no-browser'], modernCapabilities });
    expect((await server.call('login')).structured).toEqual({});
    const { structured } = await server.call('login');
    expect(structured).toMatchObject({
      status: 'pending',
      next: expect.stringMatching(/^Show loginUrl to the user/),
    });
    await new Browser().logIn(String(structured.loginUrl), 'alice');
    expect((await server.call('login')).structured).toMatchObject({ account: { subject: 'alice' } });
  });

  it('answers invalid lines with an error, and reports each kind once on stderr', async () => {
    const server = await start({ command: [MAIN, '--stdio'] });
    const batch = '[{"jsonrpc":"2.0","id":90,"method":"ping"}]';
    const lines = ['junk', batch, '{"jsonrpc":"2.0","id":null,"method":"ping"}', 'more junk'];
    server.stdin.write(`${lines.join('\n')}\n\uFEFF{"jsonrpc":"2.0","id":91,"method":"ping"}\n`);
    await server.lines.first('the answer after the mark', (line) => JSON.parse(line).id === 91);
    const answers = server.lines.entries.map((line) => JSON.parse(line)).filter(({ id }) => id === null);
    expect(answers.map(({ error }) => error.code)).toEqual([-32700, -32600, -32600, -32700]);
    server.stdin.end();
    await server.ended;
    const told = server.stderr.entries.filter((line) =>
      line.includes('A line on stdin is not a JSON-RPC message'),
    );
    expect(told).toHaveLength(3);
    expect(told[0]).toContain('not JSON');
  });

  it('refuses options for HTTP in one line', async () => {
    for (const flags of [['--json'], ['--port', '0']]) {
      expect(await runServer({ flags: ['--stdio', ...flags] })).toEqual({
        code: 1,
        signal: null,
        stdout: [],
        stderr: [expect.stringMatching(/^With --stdio, .*[.] Remove --(json|port) or --stdio[.]$/)],
      });
    }
  });
});

describe('serveStdio', () => {
  it('resolves when all tokens are revoked, lets the process end, and cannot be called twice', async () => {
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

  it('is refused with a public URL, and for sessions that serve HTTP', async () => {
    const options = {
      server: { name: 'test', version: '1.0.0' },
      providers: { issuer: setup.provider.issuer, clientId: 'test' },
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
