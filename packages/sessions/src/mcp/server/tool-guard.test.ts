import { describe, expect, it, onTestFinished } from 'vitest';
import { createSessions } from '../../server/create-sessions.js';

const PUBLIC_URL = 'http://127.0.0.1:3000';

/** A server whose tool waits until it is released, and shows the signal that it was given. */
function setUp() {
  const signals: AbortSignal[] = [];
  const releases: (() => void)[] = [];
  const sessions = createSessions({
    server: { name: 'test', version: '1' },
    publicUrl: PUBLIC_URL,
    providers: { issuer: 'https://id.example.com', clientId: 'test' },
    tools: (server) => {
      server.registerTool('wait', { description: 'Waits until it is released.' }, async ({ mcpReq }) => {
        signals.push(mcpReq.signal);
        await new Promise<void>((resolve) => releases.push(resolve));
        return { content: [{ type: 'text', text: 'done' }] };
      });
    },
  });
  onTestFinished(() => sessions.close());
  const call = (signal?: AbortSignal) => {
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'wait',
        arguments: {},
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    });
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'wait',
    };
    return sessions.handleRequest(
      new Request(`${PUBLIC_URL}/mcp`, { method: 'POST', headers, body, ...(signal && { signal }) }),
    );
  };
  return { call, signals, releases };
}

describe('the signal of a 2026 call', () => {
  it('stays quiet when the call has succeeded, although the connection is closed then', async () => {
    const { call, signals, releases } = setUp();
    const answering = call();
    await expect.poll(() => releases).toHaveLength(1);
    releases[0]?.();
    expect(await (await answering).text()).toContain('done');
    await new Promise((resolve) => setImmediate(resolve));
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  });

  it('aborts when the client closes the connection while the tool runs', async () => {
    const { call, signals, releases } = setUp();
    const client = new AbortController();
    const answering = call(client.signal);
    await expect.poll(() => releases).toHaveLength(1);
    client.abort();
    await expect.poll(() => signals[0]?.aborted).toBe(true);
    releases[0]?.();
    await Promise.resolve(answering).catch(() => undefined);
  });
});
