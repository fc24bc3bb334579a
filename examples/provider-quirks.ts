import assert from 'node:assert/strict';
import { Client, StreamableHTTPClientTransport as Transport } from '@modelcontextprotocol/client';
import { createSessions } from 'mcp-sessions';
import { connectClient, FaultingProvider, logIn, VirtualClock } from 'mcp-sessions/testing';

const clock = new VirtualClock();
// No code verifier and no nonce, as at LinkedIn, and another name for a dead refresh token, as at Zoho.
const quirks = ['refuses_code_verifier', 'no_nonce', 'dead_as_invalid_code_200'] as const;
const provider = new FaultingProvider({ clock, quirks, api: (_request, user) => new Response(user) });
assert.deepEqual([provider.options.pkce, provider.options.nonce], ['off', 'off']);

const sessions = createSessions({
  server: { name: 'names', version: '1.0.0' },
  providers: provider.options,
  publicUrl: 'http://127.0.0.1:3000',
  tools: (server, context) => {
    server.registerTool('my_name', { description: 'Says the name of the user' }, async () => {
      const response = await context.session().fetch('https://api.test/me');
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

// The provider is out of order while the token needs a refresh. The login stays.
provider.startMaintenance();
await clock.advance(8 * 60_000);
provider.mend();
await clock.advance(5 * 60_000);
const name = await client.callTool({ name: 'my_name' });
assert.deepEqual(name.content, [{ type: 'text', text: 'alice' }]);

// The user withdraws the grant at the provider. The next refresh shows it.
provider.endGrant('alice');
await clock.advance(11 * 60_000);
const status = await client.callTool({ name: 'session_status' });
const { state } = status.structuredContent as { state: string };
assert.equal(state, 'reauthentication_required');

await client.close();
await sessions.close();
