import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sessions } from '../../packages/sessions/src/index.js';
import {
  createBareServer,
  messageIn,
  type RawClient,
  rawClient2025,
  rawClient2026,
} from '../support/bare-server.js';
import { reachedFrom } from '../support/in-memory-client.js';
import { JSON_HEADERS } from '../support/raw-mcp.js';

const MCP = 'https://mcp.example/mcp';
/** The maximum length of a URI. A character counts as two bytes, so that 100 such URIs exceed the limit in bytes. */
const LONG = 2048;
const SHORT = 'notes:mine';
/** The maximum of one address for one kind of data. */
const QUARTER = (8 * 1024 * 1024) / 4;

let sessions: Sessions;
beforeEach(() => {
  sessions = createBareServer(
    (server) => {
      server.registerTool('any', {}, () => ({ content: [] }));
    },
    { publicUrl: new URL(MCP).origin, access: 'open-to-network' },
  );
});
afterEach(() => sessions.close());

/** The server for requests from one address. */
const from = (index: number): Pick<Sessions, 'handleRequest'> => {
  const server = reachedFrom(sessions, `203.0.113.${index}`);
  return { handleRequest: (request) => server.handleRequest(new Request(MCP, request)) };
};
const longUri = (index: number) => `long:${index}:`.padEnd(LONG, 'x');
const subscribe = (client: RawClient, uri: string, id?: number) =>
  client.ask('resources/subscribe', { uri }, id);
const listen = (client: RawClient, uris: readonly string[]) =>
  client.post(
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'subscriptions/listen',
      params: {
        notifications: { resourceSubscriptions: uris },
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  );

/** Subscribes until a subscription is refused. @returns the number of accepted characters */
async function fill(client: RawClient): Promise<number> {
  for (let index = 0; ; index++) {
    const { error } = await subscribe(client, longUri(index));
    if (error) return index * LONG;
  }
}

describe('the subscriptions of 2025 clients', () => {
  it('have URIs of at most 2,048 characters [security 40]', async () => {
    const client = await rawClient2025(from(1));
    expect((await subscribe(client, 'x'.repeat(LONG))).error).toBeUndefined();
    const { error } = await subscribe(client, 'x'.repeat(LONG + 1));
    expect(error).toMatchObject({ code: -32_602, message: expect.stringContaining('2048 characters') });
  });

  it('use at most 64 KiB for each connection, which unsubscribing frees [security 40]', async () => {
    const client = await rawClient2025(from(1));
    const most = await fill(client);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(32 * 1024);
    const { error } = await subscribe(client, longUri(99));
    expect(error).toMatchObject({ code: -32_602, message: expect.stringContaining('Unsubscribe') });
    await client.ask('resources/unsubscribe', { uri: longUri(0) });
    expect((await subscribe(client, longUri(99))).error).toBeUndefined();
  });

  it('use at most a quarter of 8 MiB for one address, which the end of its connections frees [security 40]', async () => {
    const clients: Awaited<ReturnType<typeof rawClient2025>>[] = [];
    let characters = 0;
    for (let taken = 1; taken > 0; characters += taken) {
      const client = await rawClient2025(from(1));
      clients.push(client);
      taken = await fill(client);
    }
    expect(characters).toBeGreaterThan(QUARTER / 2 / 2);
    expect(characters).toBeLessThan((QUARTER / 2) * 1.05);
    const [last] = clients.slice(-1);
    expect(await fill(await rawClient2025(from(2)))).toBeGreaterThan(0);
    expect((await subscribe(last!, SHORT)).error).toBeUndefined();
    const [{ secret }] = clients as [(typeof clients)[0]];
    const headers = { ...JSON_HEADERS, 'mcp-session-id': secret };
    expect((await from(1).handleRequest(new Request(MCP, { method: 'DELETE', headers }))).status).toBe(200);
    expect(await fill(await rawClient2025(from(1)))).toBeGreaterThan(0);
  });
});

describe('the subscriptions of 2026 clients', () => {
  it.each([
    ['a URI of more than 2,048 characters', ['x'.repeat(LONG + 1)], 400, '2048 characters'],
    ['more than 100 URIs', Array.from({ length: 101 }, (_, index) => `n:${index}`), 400, '100 subscriptions'],
    ['more than 64 KiB in total', Array.from({ length: 20 }, (_, index) => longUri(index)), 503, 'Too many'],
  ])('are refused with %s [security 40]', async (_, uris, status, message) => {
    const response = await listen(rawClient2026(from(1)), uris);
    expect(response.status).toBe(status);
    expect((await messageIn(response)).error?.message).toContain(message);
  });

  it('have the same limits, until their stream ends [security 40]', async () => {
    const uris = Array.from({ length: 15 }, (_, index) => longUri(index));
    const open = async () => {
      const streams: Response[] = [];
      for (;;) {
        const stream = await listen(rawClient2026(from(1)), uris);
        if (stream.status !== 200) return streams;
        streams.push(stream);
      }
    };
    const streams = await open();
    expect(streams.length).toBeGreaterThan(10);
    expect(streams.length).toBeLessThan(50);
    expect((await listen(rawClient2026(from(1)), [SHORT])).status).toBe(200);
    for (const { body } of streams) await body?.cancel();
    expect(await open()).toHaveLength(streams.length);
  });
});

describe('a request in flight', () => {
  it.each(['2025', '2026'])(
    'has an id and a progress token of at most 256 characters in %s [security 40]',
    async (era) => {
      const client = era === '2025' ? await rawClient2025(from(1)) : rawClient2026(from(1));
      const params = { name: 'any', arguments: {} };
      const message = (id: unknown, progressToken: unknown) =>
        JSON.stringify({
          jsonrpc: '2.0',
          id,
          method: 'tools/call',
          params: { ...params, _meta: { progressToken } },
        });
      const long = 'x'.repeat(257);
      for (const [id, token, named] of [
        [long, 1, 'id'],
        [1, long, 'progressToken'],
      ]) {
        const response = await client.post(message(id, token));
        expect(response.status).toBe(400);
        expect((await messageIn(response)).error?.message).toContain(
          `The ${named} of a request may have at most 256`,
        );
      }
    },
  );
});

describe('the client information of `initialize`', () => {
  const initialize = (index: number, capabilities: object) => {
    const clientInfo = { name: 'raw', version: '1' };
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    return from(index).handleRequest(new Request(MCP, { method: 'POST', headers: JSON_HEADERS, body }));
  };
  const many = (count: number) => ({
    experimental: Object.fromEntries(
      Array.from({ length: count }, (_, index) => [index.toString(36).padEnd(30), {}]),
    ),
  });

  it('is refused with more elements than a request may have, so that it needs less than 96 KiB in memory [security 40]', async () => {
    expect((await initialize(1, many(400))).status).toBe(400);
    expect((await initialize(1, many(380))).status).toBe(200);
  });

  it('uses at most a quarter of 8 MiB for one address, and is always accepted if it is short [security 40]', async () => {
    const large = many(380);
    let connections = 0;
    for (let status = 200; status === 200; connections++) ({ status } = await initialize(1, large));
    expect(connections).toBeGreaterThan(20);
    expect(connections).toBeLessThan(QUARTER / (380 * 2 * 32));
    const refused = await initialize(1, large);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '60']);
    expect((await initialize(1, many(10))).status).toBe(200);
    expect((await initialize(2, large)).status).toBe(200);
  });

  it('counts with the text that a hibernating connection keeps, also where that is longer than the values [security 40]', async () => {
    // Each character has six in JSON.
    const escaped = { experimental: { text: { text: '\u0001'.repeat(2_000) } } };
    let connections = 0;
    for (let status = 200; status === 200; connections++) ({ status } = await initialize(1, escaped));
    const textBytes = 2 * JSON.stringify(escaped).length;
    expect(connections).toBeLessThan(QUARTER / (textBytes - 2 * 1024));
  });
});
