import { afterEach, describe, expect, it } from 'vitest';
import { CLIENT_KINDS, connect } from '../support/mcp-clients.js';
import { client2026, connect2025 } from '../support/raw-mcp.js';
import {
  FREE_PORTS,
  type LaunchedServer,
  launchServer,
  runServer,
  type ServerProcess,
  startServer,
} from '../support/server-process.js';

const running = new Set<LaunchedServer>();

afterEach(async () => {
  await Promise.all([...running].map((server) => server.stop('SIGKILL')));
  running.clear();
});

async function startSample(environment: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const server = await startServer({ flags: FREE_PORTS, environment });
  running.add(server);
  return server;
}

describe('the built server with --json', () => {
  it('prints its addresses as the only line on stdout when it is ready', async () => {
    const server = await startSample();
    const { mcp, identityProvider, api } = server.addresses;
    const health = await fetch(new URL('/healthz', mcp));
    expect(health.status).toBe(200);
    expect((await fetch(`${identityProvider}/.well-known/openid-configuration`)).status).toBe(200);
    expect((await fetch(`${api}/notes`)).status).toBe(401);
    const client = await connect('SDK 1.x', mcp);
    await client.logIn('alice');
    await client.close();
    await server.stop();
    expect(server.stdout.entries).toEqual([JSON.stringify(server.addresses)]);
  });

  it('serves the sample tools to every kind of client', async () => {
    const server = await startSample();
    for (const kind of CLIENT_KINDS) {
      const client = await connect(kind, server.addresses.mcp);
      expect(await client.call('whoami')).toMatchObject({
        isError: true,
        text: expect.stringMatching(/call .*`login`/i),
      });
      await client.logIn(kind);
      expect((await client.call('whoami')).structured).toEqual({ subject: kind, name: kind });
      const { structured: note } = await client.call('add_note', { text: 'milk' });
      expect(note).toMatchObject({ text: 'milk' });
      expect((await client.call('list_notes')).structured).toEqual({ notes: [note] });
      await client.close();
    }
  });

  it('ends with code 0 on Ctrl-C', async () => {
    expect(await (await startSample()).stop()).toEqual({ code: 0, signal: null });
  });

  it('ends with code 0 with users logged in, open streams and a pending login', async () => {
    const server = await startSample();
    const { mcp } = server.addresses;
    const clients = await Promise.all(CLIENT_KINDS.map((kind) => connect(kind, mcp)));
    await Promise.all(clients.map((client, index) => client.logIn(`user-${index}`)));
    await (await connect2025(mcp)).call('login');
    await client2026(mcp).call('login');
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    const revoked = server.audit.entries.filter(({ event }) => event === 'account.revoked');
    expect(revoked.map(({ revocation }) => revocation)).toEqual(clients.map(() => 'confirmed'));
    await Promise.all(clients.map((client) => client.close()));
  });

  it('treats the second Ctrl-C that npm sends as one', async () => {
    const server = await startSample({ npm_lifecycle_event: 'start' });
    const ended = Promise.all([server.stop('SIGINT'), server.stop('SIGINT')]);
    expect((await ended)[0]).toEqual({ code: 0, signal: null });
  });

  it('[security 48] writes neither session ids nor handles to its log', async () => {
    const server = await startSample();
    const { mcp } = server.addresses;
    const connection = await connect2025(mcp);
    await connection.call('login');
    const stateless = client2026(mcp);
    await stateless.call('login');
    await connection.end();
    await server.stop();
    const log = server.stderr.entries.join('\n');
    expect(log).toContain('login.started');
    expect(log).not.toContain(connection.secret);
    expect(log).not.toContain(stateless.secret);
  });
});

describe('the built server without --json', () => {
  it('prints its addresses and the setup of three clients on stderr, and nothing on stdout', async () => {
    const server = launchServer({ flags: FREE_PORTS });
    running.add(server);
    await server.stderr.first('the last line', (line) => line.includes('Ctrl-C'));
    const said = server.stderr.entries.join('\n');
    const addresses = [...said.matchAll(/http:\/\/127\.0\.0\.1:\d+(\/mcp)?/g)].map(([address]) => address);
    const [mcp, identityProvider, api] = addresses;
    expect(mcp).toMatch(/\/mcp$/);
    expect((await fetch(new URL('/healthz', mcp))).status).toBe(200);
    expect((await fetch(`${identityProvider}/.well-known/openid-configuration`)).status).toBe(200);
    expect((await fetch(`${api}/notes`)).status).toBe(401);
    for (const client of ['Claude Code', 'VS Code', 'MCP Inspector']) {
      expect(said).toMatch(new RegExp(`^ *${client} .*${mcp}`, 'm'));
    }
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(server.stdout.entries).toEqual([]);
  });
});

describe('a server that cannot start', () => {
  it('names the wrong flag in one line', async () => {
    expect(await runServer({ flags: ['--nonsense'] })).toEqual({
      code: 1,
      signal: null,
      stdout: [],
      stderr: [expect.stringContaining("Unknown option '--nonsense'. Run with --help")],
    });
  });
});
