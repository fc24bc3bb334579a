import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect, it } from 'vitest';
import { createBareServer } from '../support/bare-server.js';
import { JSON_HEADERS } from '../support/raw-mcp.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MCP = 'http://127.0.0.1:3000/mcp';
const COUNT = 20;

const sessions = createBareServer((server) => {
  server.registerTool('any', {}, () => ({ content: [] }));
});
afterAll(() => sessions.close());

const sent: WeakRef<Request>[] = [];

async function post(method: string, params: object, headers: Record<string, string> = {}): Promise<Response> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const request = new Request(MCP, { method: 'POST', headers: { ...JSON_HEADERS, ...headers }, body });
  sent.push(new WeakRef(request));
  const response = await sessions.handleRequest(request);
  await response.text();
  return response;
}

it('an open connection keeps none of its requests, whose headers may have 16 KiB [security 40]', async () => {
  for (let count = 0; count < COUNT; count++) {
    const { headers } = await post('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'test', version: '1' },
    });
    const own = {
      'mcp-session-id': headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    };
    const { status } = await post('tools/call', { name: 'any' }, own);
    expect(status).toBe(200);
    await post('resources/subscribe', { uri: 'notes:mine' }, own);
  }
  expect(sent).toHaveLength(3 * COUNT);
  const kept = () => {
    collectGarbage();
    return sent.filter((request) => request.deref() !== undefined).length;
  };
  // The last request may still be on a stack.
  await expect.poll(kept).toBeLessThanOrEqual(3);
});
