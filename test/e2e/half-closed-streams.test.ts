import { request as httpRequest } from 'node:http';
import * as sdk2 from '@modelcontextprotocol/client';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createSessions, type SessionEvent, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Journal } from '../support/journal.js';
import { connect2025, JSON_HEADERS, startLogin } from '../support/raw-mcp.js';
import { CUTS, startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { eventContaining, Wire2025 } from './wire-stream.js';

const PROBE_MS = 2_000;
const GRACE_MS = 60_000;
/** After this time without a client or a request, a user is signed out. */
const IDLE_MS = 60 * 60 * 1000;
const MORE_THAN_A_PING_MS = 2 * 25_000 + 1_000;

let clock: VirtualClock;
let provider: FaultingProvider;
let sessions: Sessions;
let events: SessionEvent[];
let proxy: TcpProxy;
/** The response statuses of GETs. */
let opened: Journal<number>;
let pushed: Journal<string>;

beforeEach(async () => {
  clock = new VirtualClock();
  provider = new FaultingProvider();
  events = [];
  opened = new Journal();
  pushed = new Journal();
  sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0, disconnectGraceMs: GRACE_MS },
    runtime: { fetch: provider.fetch, clock },
    tools: (server) => {
      server.registerTool('touch', { description: 'Tells of a change.' }, async () => {
        await server.server.sendResourceUpdated({ uri: 'test://changed' });
        return { content: [] };
      });
    },
  });
  sessions.onEvent((event) => events.push(event));
  const { url } = await sessions.listen({ port: 0 });
  proxy = await startTcpProxy(url);
  mcp = new URL(proxy.through(url));
});

afterEach(async () => {
  await proxy.close();
  await sessions.close();
});

let mcp: URL;

const noted = async (url: string | URL, init?: RequestInit): Promise<Response> => {
  const response = await fetch(url, init);
  if (init?.method === 'GET') opened.add(response.status);
  return response;
};

const INFO = { name: 'test', version: '1.0.0' };
const RECONNECTION = {
  initialReconnectionDelay: 1,
  maxReconnectionDelay: 1,
  reconnectionDelayGrowFactor: 1,
  maxRetries: 2,
};

interface Client {
  call(name: string, args?: Record<string, unknown>): Promise<Record<string, unknown>>;
}

/** The real clients. They reconnect without delay, and twice, as by default. */
const CLIENTS: Record<string, () => Promise<Client>> = {
  'SDK 1.x': async () => {
    const client = new Sdk1Client(INFO);
    const transport = new Sdk1Transport(mcp, { fetch: noted, reconnectionOptions: RECONNECTION });
    client.fallbackNotificationHandler = async ({ method }) => pushed.add(method);
    // The SDK's own types differ under exactOptionalPropertyTypes.
    await client.connect(transport as Parameters<typeof client.connect>[0]);
    onTestFinished(() => client.close());
    return {
      call: async (name, args = {}) => structuredOf(await client.callTool({ name, arguments: args })),
    };
  },
  'SDK 2.x': async () => {
    const client = new sdk2.Client(INFO, { supportedProtocolVersions: ['2025-11-25'] });
    const transport = new sdk2.StreamableHTTPClientTransport(mcp, {
      fetch: noted,
      reconnectionOptions: RECONNECTION,
    });
    client.fallbackNotificationHandler = async ({ method }) => pushed.add(method);
    await client.connect(transport);
    onTestFinished(() => client.close());
    return {
      call: async (name, args = {}) => structuredOf(await client.callTool({ name, arguments: args })),
    };
  },
};

const resultSchema = z.looseObject({ structuredContent: z.record(z.string(), z.unknown()).default({}) });
const structuredOf = (result: unknown) => resultSchema.parse(result).structuredContent;

const signOuts = () => events.filter(({ type }) => type === 'session.signed_out');

const statuses = (count: number) =>
  opened.until(`${count} streams`, (entries) => (entries.length >= count ? entries : undefined));

describe.each(Object.entries(CLIENTS))('%s whose side of the stream is closed', (_, connect) => {
  it.each(CUTS)(
    'by %s opens another stream, gets notifications and stays logged in [security 5, 36]',
    async (cut) => {
      const client = await connect();
      await statuses(1);
      const { loginUrl } = await client.call('login');
      const { code } = await logIn(sessions, loginUrl, { provider, user: 'alice' });
      await client.call('login', code === undefined ? {} : { code });
      proxy.cutClientHalf(cut);
      // The new stream waits for the ping on the old one.
      await proxy.swallowed.until('a ping', (said) => said.join('').includes('"ping"') || undefined);
      await clock.advance(PROBE_MS);
      expect(await statuses(2)).toEqual([200, 200]);
      await client.call('touch');
      await pushed.first('the change', (method) => method === 'notifications/resources/updated');
      await clock.advance(MORE_THAN_A_PING_MS + GRACE_MS);
      expect(signOuts()).toEqual([]);
      expect(await client.call('session_status')).toMatchObject({ state: 'authenticated' });
    },
  );
});

it('counts no client as present whose waiting stream has ended before it opened [security 36]', async () => {
  const client = await connect2025(mcp.href);
  const { code } = await logIn(sessions, await startLogin(client), { provider, user: 'alice' });
  await client.call('login', code === undefined ? {} : { code });
  const first = await new Wire2025(client.secret).listen(mcp.href);
  const headers = { ...JSON_HEADERS, 'mcp-session-id': client.secret, 'mcp-protocol-version': '2025-11-25' };
  const waiting = httpRequest(mcp, { headers, agent: false }).on('error', () => undefined);
  waiting.end();
  await eventContaining(first, '"ping"');
  const left = new Promise((resolve) => waiting.once('close', resolve));
  waiting.destroy();
  await left;
  // Its answer comes after the server has seen that the client has left.
  expect(await client.call('session_status')).toMatchObject({ structured: { state: 'authenticated' } });
  first.drop();
  await first.over;
  expect(await client.call('session_status')).toMatchObject({ structured: { state: 'authenticated' } });
  await clock.advance(IDLE_MS);
  expect(signOuts()).toHaveLength(1);
});
