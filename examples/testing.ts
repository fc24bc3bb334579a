import assert from 'node:assert/strict';
import { Client, StreamableHTTPClientTransport as Transport } from '@modelcontextprotocol/client';
import { createSessions } from 'mcp-sessions';
import { connectClient, FaultingProvider, logIn, VirtualClock } from 'mcp-sessions/testing';

const clock = new VirtualClock();
const provider = new FaultingProvider({ api: (_request, user) => new Response(`Hello ${user}`) });
const sessions = createSessions({
  server: { name: 'greetings', version: '1.0.0' },
  providers: provider.options,
  publicUrl: 'http://127.0.0.1:3000',
  tools: (server, context) => {
    server.registerTool('greet', { description: 'Greets the user' }, async () => {
      const response = await context.session().fetch('https://api.test/greeting');
      return { content: [{ type: 'text', text: await response.text() }] };
    });
  },
  runtime: { clock, fetch: provider.fetch },
});
const client = new Client({ name: 'test', version: '1.0.0' });
await connectClient(sessions, { client, Transport });

const started = await client.callTool({ name: 'login' });
const { loginUrl } = started.structuredContent as { loginUrl: string };
const { code } = await logIn(sessions, loginUrl, { provider, user: 'alice' });
await client.callTool({ name: 'login', arguments: { code } });

const greeting = await client.callTool({ name: 'greet' });
assert.deepEqual(greeting.content, [{ type: 'text', text: 'Hello alice' }]);

// The access token expires after ten minutes. The server refreshes it before.
await clock.advance(11 * 60_000);
assert.equal((await client.callTool({ name: 'greet' })).isError, undefined);
assert.equal(provider.requests.token, 2);

await client.callTool({ name: 'logout' });
assert.equal((await client.callTool({ name: 'greet' })).isError, true);

await client.close();
await sessions.close();
