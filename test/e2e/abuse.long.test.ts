import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Browser } from '../support/browser.js';
import { type Deployment, startDeployment } from '../support/deployment.js';
import { eventually } from '../support/journal.js';
import {
  client2026,
  connect2025,
  initialize,
  type RawClient,
  type RawWay,
  send,
  startLogin,
} from '../support/raw-mcp.js';

const REPORT_MEMORY = fileURLToPath(new URL('../support/report-memory.mjs', import.meta.url));
/** An idle server has at most this number of open connections: its own to the provider and the API. */
const MOST_CONNECTIONS_AT_REST = 6;

/** The memory of one connection: 1 MiB of unread responses, and buffered requests. */
const MOST_OF_A_CONNECTION_BYTES = 2 * 1024 * 1024;

let deployment: Deployment;
let mcp: string;
let bystander: RawClient;

beforeAll(async () => {
  deployment = await startDeployment({
    flags: ['--access', 'open-to-network'],
    environment: {
      MCP_SESSIONS_TRUSTED_PROXIES: '127.0.0.1',
      // A flood of some hundred requests reaches this limit.
      MCP_SESSIONS_LIMITS: '{"anonymousSessionsPerAddress":200}',
    },
    nodeOptions: ['--expose-gc', '--import', REPORT_MEMORY],
  });
  ({ mcp } = deployment);
  bystander = await connect2025(mcp, from('203.0.113.100'));
  await logIn(bystander, 'bystander');
});
afterAll(() => deployment.stop());

/** What a proxy adds to a request that comes from an address. */
function from(address: string): RawWay {
  return { headers: { 'x-forwarded-for': address } };
}

/** Logs a remote client in, with the confirmation code. */
async function logIn(client: RawClient, username: string): Promise<void> {
  const page = await new Browser().logIn(await startLogin(client), username);
  const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0];
  const { structured, text } = await client.call('login', { code });
  if (structured.status !== 'authenticated') throw new Error(`${username} is not logged in: ${text}`);
}

/** Expects that a logged-in client can work, and that new clients of both eras can log in. */
async function expectService(): Promise<void> {
  expect((await bystander.call('whoami')).structured).toMatchObject({ subject: 'bystander' });
  const way = from('203.0.113.101');
  for (const client of [await connect2025(mcp, way), client2026(mcp, undefined, way)]) {
    await logIn(client, 'newcomer');
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'newcomer' });
    await client.call('logout');
  }
}

/** Does something many times, 50 at a time, and checks meanwhile that other clients are served. */
async function whileServing(times: number, act: () => Promise<unknown>): Promise<void> {
  let left = times;
  const work = async () => {
    while (left-- > 0) await act();
  };
  const flood = Promise.all(Array.from({ length: 50 }, work));
  do await expectService();
  while (left > 0);
  await flood;
}

const reportSchema = z.looseObject({
  event: z.literal('memory'),
  bytes: z.number(),
  connections: z.number(),
});

/** The memory and the connections of the server, after a garbage collection. */
async function held(): Promise<z.infer<typeof reportSchema>> {
  const { audit } = deployment.server;
  const reports = () => audit.entries.filter(({ event }) => event === 'memory');
  const before = reports().length;
  deployment.server.signal('SIGUSR2');
  return reportSchema.parse(await audit.until('the memory', () => reports()[before]));
}

/** Waits until the server has closed the connections of clients. */
function untilAtRest(): Promise<true> {
  return eventually('the connections to be closed', async () => {
    return (await held()).connections <= MOST_CONNECTIONS_AT_REST || undefined;
  });
}

function openSocket(): Socket {
  const { hostname, port } = new URL(mcp);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  return socket;
}

/** Sends a text, then one byte every half second until the server disconnects. */
async function drip(start: string, byte: string): Promise<void> {
  const socket = openSocket();
  socket.resume();
  if (start) socket.write(start);
  const dripping = byte ? setInterval(() => socket.write(byte), 500) : undefined;
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(dripping);
}

const HEAD = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Forwarded-For: 203.0.113.1\r\n`;

describe('a slow client', () => {
  it.concurrent.each([
    ['sends nothing', '', ''],
    ['sends its headers byte by byte', `${HEAD}X-Slow: `, 'x'],
    ['sends its body byte by byte', `${HEAD}Content-Length: 1000\r\n\r\n`, ' '],
    ['never finishes a chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n1000\r\n`, ' '],
  ])(
    'that %s on 100 connections is disconnected and does not delay other clients [security 40]',
    async (_what, start, byte) => {
      const cutOff = Promise.all(Array.from({ length: 100 }, () => drip(start, byte)));
      await expectService();
      await cutOff;
      await expectService();
    },
  );

  it('has no open connection afterwards', () => untilAtRest());
});

describe('a client that does not read', () => {
  const request = 'GET /login/done HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 203.0.113.2\r\n\r\n';

  /** Sends requests without reading responses, until the server disconnects. */
  async function askOn(requestsAtOnce: number): Promise<void> {
    const socket = openSocket().pause();
    const asking = setInterval(() => socket.write(request.repeat(requestsAtOnce)), 10);
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(asking);
  }

  it.each([
    ['that keeps sending requests', 4],
    ['that sends thousands of requests at once', 4000],
  ])(
    '%s, on 20 connections, is disconnected and does not delay other clients [security 40]',
    async (_what, atOnce) => {
      const before = await held();
      const cutOff = Promise.all(Array.from({ length: 20 }, () => askOn(atOnce)));
      await expectService();
      expect((await held()).bytes).toBeLessThan(before.bytes + 20 * MOST_OF_A_CONNECTION_BYTES);
      await cutOff;
      await expectService();
      await untilAtRest();
    },
  );
});

describe('a flood from one address', () => {
  const callback = () => new URL('/callback?state=x&code=y', mcp);
  const floods: Record<string, (way: RawWay) => Promise<unknown>> = {
    initialize: (way) => initialize(mcp, way),
    login: (way) => client2026(mcp, undefined, way).call('login'),
    callbacks: (way) => send(callback(), way),
    'unknown handles': (way) => client2026(mcp, 'A'.repeat(43), way).call('whoami'),
  };

  it.each(Object.entries(floods))(
    'of %s does not delay other clients and stays within the limits of one address [security 39, 41]',
    async (name, act) => {
      const way = from(`198.51.100.${Object.keys(floods).indexOf(name)}`);
      // These requests use up all limits of one address.
      await whileServing(1200, () => act(way));
      const early = await held();
      await whileServing(600, () => act(way));
      const late = await held();
      expect(late.bytes).toBeLessThan(1.3 * early.bytes);
      await untilAtRest();
    },
  );

  it('of all kinds of requests does not delay other clients, and the address recovers [security 39, 41]', async () => {
    const way = from('198.51.100.50');
    const client = await connect2025(mcp, way);
    await whileServing(600, () => Promise.all(Object.values(floods).map((act) => act(way))));
    await eventually('the limit', async () => (await initialize(mcp, way)).status === 429 || undefined);
    // The address may not start another session. After a minute, its own session can log in.
    await eventually('another login', async () => {
      const { isError } = await client.call('login');
      return isError ? undefined : true;
    });
    await logIn(client, 'penitent');
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'penitent' });
    await untilAtRest();
  });
});
