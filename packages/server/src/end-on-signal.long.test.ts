import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { describe, expect, it, onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const TOOLS = fileURLToPath(new URL('../test/slow-tools.mjs', import.meta.url));
const FLAGS = ['--port', '0', '--idp-port', '0', '--api-port', '0', '--json', '--tools', TOOLS];

interface Running {
  readonly child: ChildProcess;
  readonly mcp: string;
  readonly stderr: Promise<string>;
  /** Its exit code and signal. */
  readonly ended: Promise<unknown[]>;
  /** Calls the tool, which waits for its answer. @returns the result, and a function that answers */
  callSlow(): Promise<{ result(): Promise<unknown>; answer(): void }>;
}

async function start(
  command: string,
  argv: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Running> {
  const held: ((response: ServerResponse) => void)[] = [];
  const upstream = createServer((_request, response) => held.shift()?.(response)).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  // A TCP server that listens has an AddressInfo.
  const { port } = upstream.address() as AddressInfo;
  const env = { PATH: process.env.PATH, SLOW_URL: `http://127.0.0.1:${port}/`, ...environment };
  // In its own process group, so that a signal reaches only the process that it is sent to.
  const child = spawn(command, argv, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const ended = once(child, 'close');
  onTestFinished(async () => {
    upstream.closeAllConnections();
    upstream.close();
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, 'SIGKILL');
    await ended;
  });
  const stderr = text(child.stderr);
  const [line] = await once(createInterface(child.stdout), 'line');
  const { mcp } = JSON.parse(line);
  return {
    child,
    mcp,
    stderr,
    ended,
    async callSlow() {
      const client = new Client({ name: 'test', version: '0' });
      await client.connect(new StreamableHTTPClientTransport(new URL(mcp)));
      const asked = new Promise<ServerResponse>((resolve) => held.push(resolve));
      const result = client.callTool({ name: 'slow', arguments: {} });
      result.catch(() => undefined);
      const response = await asked;
      return { result: () => result, answer: () => void response.end('all of it') };
    },
  };
}

const startNode = (...flags: string[]) => start(process.execPath, [MAIN, ...FLAGS, ...flags]);

/** Whether a port is in use. */
function isTaken(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)('%s', (signal) => {
  it('lets a call finish, while /healthz answers 503 [security 35]', async () => {
    const server = await startNode();
    const { result, answer } = await server.callSlow();
    server.child.kill(signal);
    await expect.poll(async () => (await fetch(new URL('/healthz', server.mcp))).status).toBe(503);
    answer();
    expect(await result()).toMatchObject({ content: [{ text: 'all of it' }] });
    expect(await server.ended).toEqual([0, null]);
    expect(await server.stderr).not.toContain('cut off');
  });

  it('sent a second time, ends the process at once and logs which calls were cut', async () => {
    const server = await startNode('--drain-seconds', '3600');
    await server.callSlow();
    server.child.kill(signal);
    await expect.poll(async () => (await fetch(new URL('/healthz', server.mcp))).status).toBe(503);
    server.child.kill(signal);
    expect(await server.ended).toEqual([1, null]);
    expect(await server.stderr).toContain('1 call was cut off');
  });
});

it('SIGHUP right after SIGTERM, as service managers send it, does not count as a second signal [security 35]', async () => {
  const server = await startNode();
  const { result, answer } = await server.callSlow();
  server.child.kill('SIGTERM');
  server.child.kill('SIGHUP');
  await expect.poll(async () => (await fetch(new URL('/healthz', server.mcp))).status).toBe(503);
  answer();
  expect(await result()).toMatchObject({ content: [{ text: 'all of it' }] });
  expect(await server.ended).toEqual([0, null]);
});

describe('the drain', () => {
  it('is skipped with --drain-seconds 0', async () => {
    const server = await startNode('--drain-seconds', '0');
    await server.callSlow();
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual([0, null]);
    expect(await server.stderr).toContain('1 call was cut off');
  });
});

describe('npm start', () => {
  /** Without the build, which ran before the tests. */
  const startNpm = () =>
    start('npm', ['start', '--silent', '--ignore-scripts', '--', ...FLAGS], { HOME: process.env.HOME });

  it('ends when the server that it started has finished its calls', async () => {
    const server = await startNpm();
    const { result, answer } = await server.callSlow();
    server.child.kill('SIGTERM');
    await expect.poll(async () => (await fetch(new URL('/healthz', server.mcp))).status).toBe(503);
    expect([server.child.exitCode, server.child.signalCode]).toEqual([null, null]);
    answer();
    expect(await result()).toMatchObject({ content: [{ text: 'all of it' }] });
    await server.ended;
    expect(await isTaken(server.mcp)).toBe(false);
  });

  it.each(['SIGHUP', 'SIGKILL'] as const)(
    'leaves no server behind on %s, which npm does not pass on',
    async (signal) => {
      const server = await startNpm();
      server.child.kill(signal);
      await expect.poll(() => isTaken(server.mcp)).toBe(false);
    },
  );
});
