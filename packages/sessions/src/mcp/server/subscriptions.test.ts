import { InMemoryTransport, McpServer } from '@modelcontextprotocol/server';
import { expect, it, onTestFinished } from 'vitest';
import { createBareServer, rawClient2025, rawClient2026 } from '../../../../../test/support/bare-server.js';
import { MemoryQuota } from '../../limits/memory-quota.js';
import { SUBSCRIPTION_LIMITS } from '../request/client-memory-limits.js';
import { type RequestContext, RequestContexts } from '../request/context.js';
import { Subscriptions } from './subscriptions.js';

const URI = 'notes://page';

/** A connection whose session outlives it, as that of an authenticated caller does. */
async function connect(): Promise<{
  server: McpServer;
  subscriptions: Subscriptions;
  subscribe: () => Promise<unknown>;
}> {
  const context = {
    resolved: { state: 'live', record: { ref: 'the-session' } },
    origin: 'local',
  } as unknown as RequestContext;
  const contexts = new RequestContexts({ providers: ['idp'] } as never);
  const kept = new MemoryQuota(SUBSCRIPTION_LIMITS);
  const onError = () => undefined;
  const subscriptions = new Subscriptions({ contexts, kept, onError });
  const server = new McpServer({ name: 'test', version: '1' });
  subscriptions.serve(server);
  const [client, channel] = InMemoryTransport.createLinkedPair();
  await server.connect(channel);
  await client.start();
  const subscribe = () =>
    new Promise((resolve) => {
      client.onmessage = resolve;
      const request = { jsonrpc: '2.0', id: 1, method: 'resources/subscribe', params: { uri: URI } } as const;
      contexts.run(context, () => void client.send(request));
    });
  return { server, subscriptions, subscribe };
}

it('a connection that ends is no subscriber any more, also if the author sets `onclose`', async () => {
  const { server, subscriptions, subscribe } = await connect();
  expect(await subscribe()).toMatchObject({ result: {} });
  expect(subscriptions.size).toBe(1);
  let closed = 0;
  server.server.onclose = () => {
    closed++;
  };
  await server.close();
  expect(subscriptions.size).toBe(0);
  expect(closed).toBe(1);
});

it('a subscription whose handler returns after the end of its connection is not kept', async () => {
  const { server, subscriptions, subscribe } = await connect();
  let finish: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    server.server.setRequestHandler('resources/subscribe', async () => {
      resolve();
      await new Promise<void>((end) => {
        finish = end;
      });
      return {};
    });
  });
  void subscribe();
  await begun;
  await server.close();
  finish();
  await new Promise((resolve) => setImmediate(resolve));
  expect(subscriptions.size).toBe(0);
});

it('2025: the `onclose` of the author runs at the end of a connection that has subscribed', async () => {
  let closed = 0;
  const sessions = createBareServer((server) => {
    server.registerResource('page', URI, {}, () => ({ contents: [] }));
    server.server.onclose = () => {
      closed++;
    };
  });
  onTestFinished(() => sessions.close());
  const client = await rawClient2025(sessions);
  expect((await client.ask('resources/subscribe', { uri: URI })).result).toBeDefined();
  expect(closed).toBe(0);
  const headers = { 'mcp-session-id': client.secret, 'mcp-protocol-version': '2025-11-25' };
  await sessions.handleRequest(new Request('http://127.0.0.1:3000/mcp', { method: 'DELETE', headers }));
  await expect.poll(() => closed).toBe(1);
});

it('2026: the `onclose` of the author runs at the end of each request', async () => {
  let closed = 0;
  const sessions = createBareServer((server) => {
    server.registerResource('page', URI, {}, () => ({ contents: [] }));
    server.server.onclose = () => {
      closed++;
    };
  });
  onTestFinished(() => sessions.close());
  const client = rawClient2026(sessions);
  for (let requests = 1; requests <= 3; requests++) {
    await client.ask('resources/read', { uri: URI });
    await expect.poll(() => closed).toBe(requests);
  }
});
