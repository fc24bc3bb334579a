import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { end, own } from '../support/child-processes.js';
import { eventually, Journal } from '../support/journal.js';
import { describeStdioClient } from './stdio-journey.js';
import { isAlive, MAIN, type StdioProcess } from './stdio-process.js';
import { inFrontOf, logIn, ownProvider, setUpStdio } from './stdio-setup.js';

const LIBRARY_CHILD = fileURLToPath(new URL('./stdio-library-child.mjs', import.meta.url));
const CLIENT_CHILD = fileURLToPath(new URL('./stdio-client-child.mjs', import.meta.url));

const setup = setUpStdio();
const { start } = setup;

describeStdioClient('SDK 2.x in 2025', setup);
describeStdioClient('SDK 2.x auto', setup);

describe('the process over stdio', () => {
  const endings: [string, (server: StdioProcess) => void][] = [
    ['the client closes stdin', ({ stdin }) => void stdin.end()],
    [
      'the client has closed stdout',
      ({ stdout, send }) => {
        stdout.destroy();
        send({ id: 'last', method: 'ping' });
      },
    ],
    ['it receives SIGTERM', ({ pid }) => void process.kill(pid, 'SIGTERM')],
    ['it receives SIGINT', ({ pid }) => void process.kill(pid, 'SIGINT')],
    ['it receives SIGHUP', ({ pid }) => void process.kill(pid, 'SIGHUP')],
    [
      'it receives SIGINT twice',
      ({ pid }) => {
        process.kill(pid, 'SIGINT');
        process.kill(pid, 'SIGINT');
      },
    ],
  ];

  it.each(endings)('ends with all tokens revoked when %s [security 34]', async (_when, act) => {
    const upstream = await ownProvider();
    const server = await start(inFrontOf(upstream));
    await logIn(server, 'alice');
    expect(await upstream.activeTokens()).toHaveLength(2);
    act(server);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(await upstream.activeTokens()).toEqual([]);
  });

  it('ends even if the provider does not respond', async () => {
    const upstream = await ownProvider();
    const server = await start(inFrontOf(upstream));
    await logIn(server, 'alice');
    upstream.freeze();
    server.stdin.end();
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it('ends when a client with open calls and unread output dies', async () => {
    const server = await start(inFrontOf(setup.provider));
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
  ])('ends when its client is killed during a login: %s, %s', async (what, era) => {
    const program = [MAIN, '--stdio', '--log-level', 'debug', ...setup.provider.toolFlags];
    const command = what === 'program' ? program : [LIBRARY_CHILD];
    const child = own(
      fork(CLIENT_CHILD, [process.execPath, ...command], {
        execArgv: [],
        env: { PATH: process.env.PATH, ERA: era, ...setup.provider.serverEnvironment },
      }),
    );
    const messages = new Journal<{ pid?: number; url?: string }>();
    child.on('message', (message) => messages.add(message as { pid?: number; url?: string }));
    const { pid = 0 } = await messages.first('the server', (message) => message.pid !== undefined);
    const { url } = await messages.first('the link', (message) => message.url !== undefined);
    expect(isAlive(pid)).toBe(true);
    await end(child, 'SIGKILL');
    await eventually('the end of the server', async () => (isAlive(pid) ? undefined : true));
    await expect(fetch(String(url))).rejects.toThrow('fetch failed');
  });
});
