import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createBareServer, type RawClient, rawClient2025, rawClient2026 } from '../support/bare-server.js';
import { reachedFrom } from '../support/in-memory-client.js';

const MCP = 'https://mcp.example/mcp';
const MIB = 1024 * 1024;
const ANSWER = 4 * MIB;
/** The responses exceed the limit of the server. */
const TOO_MANY = 20;

const sessions = createBareServer(
  (server) => {
    const inputSchema = z.object({ streams: z.boolean() });
    server.registerTool('large', { inputSchema }, async ({ streams }, { mcpReq }) => {
      // A tool that sends a notification is answered with a stream in every revision.
      const params = { progressToken: 'p', progress: 1 };
      if (streams) await mcpReq.notify({ method: 'notifications/progress', params });
      return { content: [{ type: 'text', text: 'x'.repeat(ANSWER) }] };
    });
  },
  { publicUrl: new URL(MCP).origin, access: 'open-to-network' },
);
afterAll(() => sessions.close());

const from = (address: string) => {
  const server = reachedFrom(sessions, address);
  return { handleRequest: (request: Request) => server.handleRequest(new Request(MCP, request)) };
};
const clients: Record<string, (address: string) => Promise<RawClient>> = {
  '2025': (address) => rawClient2025(from(address)),
  '2026': async (address) => rawClient2026(from(address)),
};

/** Requests large responses without reading them. */
async function ask(client: RawClient, id: number): Promise<Response> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const params = { name: 'large', arguments: { streams: true }, ...(client.era === '2026' && { _meta }) };
  return client.post(JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }));
}

describe.each(Object.keys(clients))('unread responses of %s clients', (era) => {
  it('use at most 64 MiB; above that, the oldest one of the client with the most is dropped [security 40]', async () => {
    const [greedy, honest] = [await clients[era]!('203.0.113.1'), await clients[era]!('203.0.113.2')];
    const early = await ask(honest, 1);
    const unread: Response[] = [];
    for (let id = 1; id <= TOO_MANY; id++) unread.push(await ask(greedy, id));
    const late = await ask(honest, 2);
    for (const response of [early, late]) expect((await response.text()).length).toBeGreaterThan(ANSWER);
    const outcomes = await Promise.allSettled(unread.map((response) => response.text()));
    const lost = outcomes.map(({ status }) => status === 'rejected');
    expect(lost.indexOf(true)).toBe(0);
    expect(lost.lastIndexOf(true)).toBe(lost.filter(Boolean).length - 1);
    expect(lost.filter(Boolean).length).toBeGreaterThanOrEqual(TOO_MANY - (64 * MIB) / ANSWER);
    expect(lost.filter(Boolean).length).toBeLessThan(TOO_MANY / 2);
  });
});
