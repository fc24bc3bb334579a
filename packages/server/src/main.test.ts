import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, describe, expect, it } from 'vitest';
import { startRelyingParty } from '../test/relying-party.js';
import type { Addresses } from './server.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const TOOLS = fileURLToPath(new URL('../test/tools.mjs', import.meta.url));
const REFUSE_SAMPLE = new URL('../test/refuse-sample.mjs', import.meta.url).href;
/** No server listens on port 2. */
const NOWHERE = 'http://127.0.0.1:2';
const FREE_PORTS = ['--port', '0', '--idp-port', '0', '--api-port', '0'];

type Process = ChildProcessByStdio<null, Readable, Readable>;

const running = new Set<Process>();

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

interface Options {
  readonly environment?: NodeJS.ProcessEnv;
  readonly nodeArguments?: readonly string[];
}

/** Starts the built program. */
function start(argv: readonly string[], { environment = {}, nodeArguments = [] }: Options = {}): Process {
  const child = spawn(process.execPath, [...nodeArguments, MAIN, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...environment },
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Starts it and waits for its end. */
async function run(argv: readonly string[], options?: Options) {
  const child = start(argv, options);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { stdout, stderr, code: code as number | null };
}

/** Starts it with `--json` and waits for the line with the addresses. */
async function startReady(argv: readonly string[], options?: Options) {
  const child = start([...argv, '--json'], options);
  const stderr = text(child.stderr);
  const stdout: string[] = [];
  const lines = createInterface(child.stdout).on('line', (line) => stdout.push(line));
  const ready = await Promise.race([once(lines, 'line'), once(lines, 'close')]);
  if (ready.length === 0) throw new Error(`It did not start: ${await stderr}`);
  return {
    child,
    addresses: JSON.parse(String(ready[0])) as Addresses,
    async end(signal: NodeJS.Signals) {
      child.kill(signal);
      const [code] = await once(child, 'exit');
      return { code: code as number | null, stdout, stderr: await stderr };
    },
  };
}

async function connect(mcp: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(mcp)));
  return client;
}

describe('the server with the sample', () => {
  it('is ready when it has printed its addresses, the only line on stdout', async () => {
    const server = await startReady(FREE_PORTS);
    const { mcp, identityProvider, api } = server.addresses;
    expect((await fetch(new URL('/healthz', mcp))).status).toBe(200);
    expect((await fetch(`${identityProvider}/.well-known/openid-configuration`)).status).toBe(200);
    expect((await fetch(`${api}/me`)).status).toBe(401);
    const { code, stdout, stderr } = await server.end('SIGINT');
    expect(code).toBe(0);
    expect(stdout).toHaveLength(1);
    expect(stderr).toContain(`claude mcp add --transport http notes ${mcp}`);
    expect(stderr).toContain('alice, bob, carol');
    expect(stderr).not.toContain('Unsupported runtime');
  });

  it('holds no more sessions than --max-sessions', async () => {
    const server = await startReady([...FREE_PORTS, '--max-sessions', '1']);
    const first = await connect(server.addresses.mcp);
    const second = await connect(server.addresses.mcp);
    await expect(first.listTools()).rejects.toThrow('Session not found');
    expect((await second.listTools()).tools).not.toEqual([]);
    await Promise.all([first.close(), second.close()]);
    expect((await server.end('SIGTERM')).code).toBe(0);
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('ends cleanly on %s [security 35]', async (signal) => {
    const server = await startReady(FREE_PORTS);
    expect((await server.end(signal)).code).toBe(0);
  });

  it.each(['--port', '--idp-port', '--api-port'])(
    'says in one line that the port of %s is taken',
    async (flag) => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      const { port } = taken.address() as AddressInfo;
      const result = await run([...FREE_PORTS, flag, String(port)]);
      taken.close();
      expect(result).toEqual({
        code: 1,
        stdout: '',
        stderr: `Port ${port} is in use. Choose another port with ${flag}, or 0 for any free port.\n`,
      });
    },
  );
});

describe('the server with a real provider', () => {
  it('does not load the embedded provider, and serves the operator’s tools', async () => {
    const party = await startRelyingParty();
    const { issuer } = party.provider;
    const environment = { MCP_SESSIONS_ISSUER: issuer, MCP_SESSIONS_CLIENT_ID: 'mcp-sessions' };
    const nodeArguments = ['--import', REFUSE_SAMPLE];
    const server = await startReady(['--port', '0', '--tools', TOOLS], { environment, nodeArguments });
    const { mcp, ...others } = server.addresses;
    expect(others).toEqual({ identityProvider: issuer, api: null });
    const client = await connect(mcp);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(['login', 'logout', 'ping', 'session_status']);
    await client.close();
    expect((await server.end('SIGTERM')).code).toBe(0);
    await party.provider.close();

    const control = await run(FREE_PORTS, { nodeArguments });
    expect(control.stderr).toContain('The sample was imported');
  });

  it.each([
    ['its provider', () => ({ MCP_SESSIONS_ISSUER: NOWHERE })],
    [
      'the issuer of access tokens',
      (issuer: string) => ({ MCP_SESSIONS_ISSUER: issuer, MCP_SESSIONS_ACCESS_ISSUER: NOWHERE }),
    ],
  ])('starts although %s cannot be reached, and logs a warning', async (_, issuersOf) => {
    const party = await startRelyingParty();
    const environment = { ...issuersOf(party.provider.issuer), MCP_SESSIONS_CLIENT_ID: 'mcp-sessions' };
    const child = start(['--port', '0', '--tools', TOOLS], { environment });
    const stderr: string[] = [];
    for await (const line of createInterface(child.stderr)) {
      stderr.push(line);
      if (line.includes('could not connect')) break;
    }
    expect(stderr).toContain('Ready. Every client that connects logs in as its own user.');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await party.provider.close();
  });
});

describe('the server with a configuration file', () => {
  it('serves its providers, and prints where each setting comes from without a secret', async () => {
    const party = await startRelyingParty();
    const { issuer } = party.provider;
    const folder = await mkdtemp(join(tmpdir(), 'main-test-'));
    const file = join(folder, 'mcp.yaml');
    const provider = { issuer, clientId: 'mcp-sessions', clientSecretVariable: 'THE_SECRET' };
    const providers = ['first', 'second'].map((name) => ({ name, ...provider }));
    await writeFile(file, JSON.stringify({ tools: TOOLS, listen: { port: 8080 }, providers }, null, 2));
    const environment = { MCP_SESSIONS_CONFIG: file, THE_SECRET: 'canary-secret' };

    const server = await startReady(['--port', '0'], { environment });
    const client = await connect(server.addresses.mcp);
    const login = await client.callTool({ name: 'login', arguments: { provider: 'third' } });
    expect(JSON.stringify(login.content)).toContain('Use one of: first, second.');
    await client.close();
    const ended = await server.end('SIGTERM');
    expect(ended.code).toBe(0);
    expect(ended.stderr).not.toContain('demo');

    const printed = await run(['config', 'print', '--port', '0'], { environment });
    expect(printed).toMatchObject({ code: 0, stderr: '' });
    expect(printed.stdout).toContain(`\n  - name: first # ${file}:8\n`);
    expect(printed.stdout).toContain('\n  port: 0 # --port\n');
    expect(ended.stderr + printed.stdout).not.toContain('canary');
    await rm(folder, { recursive: true });
    await party.provider.close();
  });

  it('says why the embedded provider runs', async () => {
    const byDefault = await startReady(FREE_PORTS);
    const asked = await startReady([...FREE_PORTS, '--demo']);
    expect((await byDefault.end('SIGTERM')).stderr).toContain(
      'No provider is configured, so this is a demo:',
    );
    expect((await asked.end('SIGTERM')).stderr).toContain(
      '\nThis is a demo: its identity provider accepts any',
    );
  });

  it('is refused with its line if it is wrong, and the message of the library has it, too', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'main-test-'));
    const file = join(folder, 'mcp.yaml');
    const refusal = async (content: string) => {
      await writeFile(file, content);
      const { stderr, stdout, code } = await run(['--config', file, '--port', '0']);
      expect({ stdout, code }).toEqual({ stdout: '', code: 1 });
      return stderr.replaceAll(`${folder}/`, '');
    };
    expect(await refusal('providers:\n  - clintId: a\n')).toBe(
      'mcp.yaml:2: providers[0].clintId is not a setting. Did you mean clientId?\n',
    );
    const one = `  - issuer: ${NOWHERE}\n    clientId: a\n`;
    const wrong = `tools: ${TOOLS}\nproviders:\n${one}  - preset: x\n    clientId: b\n    pkce: off\n`;
    expect(await refusal(wrong)).toMatch(
      /^mcp\.yaml:7: providers\[1\]\.pkce cannot be 'off' for a public client[^\n]*\n$/,
    );
    await rm(folder, { recursive: true });
  });
});

describe('the command line', () => {
  it.each([
    ['a public URL', { MCP_SESSIONS_PUBLIC_URL: 'https://mcp.example.com' }, []],
    ['an address of the network', {}, ['--host', '0.0.0.0']],
  ])('names flags in place of options, if other machines can reach it by %s', async (...given) => {
    const [, changes, flags] = given;
    const environment = { MCP_SESSIONS_ISSUER: NOWHERE, MCP_SESSIONS_CLIENT_ID: 'a', ...changes };
    const { stdout, stderr, code } = await run(['--port', '0', '--tools', TOOLS, ...flags], { environment });
    expect({ stdout, code }).toEqual({ stdout: '', code: 1 });
    expect(stderr).toMatch(
      /^Other machines can reach [^\n]+ Require access tokens \(--access bearer\), or set --access open-to-network\.\n$/,
    );
  });

  it('prints its usage and its version', async () => {
    const help = await run(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toMatch(/^Usage: mcp-sessions-server/);
    expect(await run(['--version'])).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });

  it('refuses an unknown flag in one line', async () => {
    expect(await run(['--prot', '1'])).toEqual({
      code: 1,
      stdout: '',
      stderr: "Unknown option '--prot'. Did you mean --port? Run with --help to see all settings.\n",
    });
  });

  it.each([
    [
      '{"connections":0}',
      /^MCP_SESSIONS_LIMITS: connections must be a whole number, at least 1[.] Run with --help[^\n]*\n$/,
    ],
    [
      '{"logins":5}',
      /^MCP_SESSIONS_LIMITS: logins is not a setting[.] The settings here are maxSessions, [^\n]*\n$/,
    ],
  ])('refuses invalid limits %s in one line that names the variable', async (limits, message) => {
    const { code, stderr } = await run(FREE_PORTS, { environment: { MCP_SESSIONS_LIMITS: limits } });
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });

  it.each([
    ['ALLOWED_HOSTS', '*.example.com', 'must not contain a wildcard: list each host name'],
    ['ALLOWED_ORIGINS', 'https://app.example.com/page', 'must be an origin without a path'],
  ])(
    'refuses the wrong value of MCP_SESSIONS_%s in one line that names it: %s',
    async (name, value, problem) => {
      const { code, stderr } = await run(FREE_PORTS, { environment: { [`MCP_SESSIONS_${name}`]: value } });
      expect(code).toBe(1);
      expect(stderr).toContain(`MCP_SESSIONS_${name}: "${value}" ${problem}`);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    },
  );

  it('refuses a logo that is not a picture in one line that names the variable', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'main-test-'));
    const logo = join(folder, 'logo.png');
    await writeFile(logo, 'no picture');
    const { code, stderr } = await run(FREE_PORTS, { environment: { MCP_SESSIONS_LOGO: logo } });
    await rm(folder, { recursive: true });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^MCP_SESSIONS_LOGO must contain a picture of the declared type[^\n]*\n$/);
  });

  it.each([
    ['NODE_OPTIONS', '"--heapsnapshot-signal=SIGUSR2"'],
    ['NODE_OPTIONS', '--heap_prof --heap-prof-dir=/nowhere'],
    ['NODE_OPTIONS', '--report_on_signal'],
    ['NODE_OPTIONS', '--tls_keylog=/dev/null'],
    ['NODE_DEBUG', 'http*'],
  ])('refuses to start if a setting exposes tokens: %s=%s [security 33]', async (name, value) => {
    const { code, stdout, stderr } = await run(FREE_PORTS, { environment: { [name]: value } });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^With [^\n]+, users' tokens can be read from this process\. [^\n]*--allow-debugging/m,
    );
  });

  it('starts with --allow-debugging although a setting exposes tokens [security 33]', async () => {
    const environment = { NODE_OPTIONS: '--report_on_signal' };
    const server = await startReady([...FREE_PORTS, '--allow-debugging'], { environment });
    expect((await server.end('SIGTERM')).code).toBe(0);
  });
});
