// A client that starts a server over stdio, calls `login` and waits until a test kills it. It sends the
// process id of the server to its parent, then the link of the elicitation.
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const [command, ...args] = process.argv.slice(2);
const client = new Client(
  { name: 'child', version: '1.0.0' },
  {
    capabilities: { elicitation: { url: {} } },
    ...(process.env.ERA === '2026'
      ? { versionNegotiation: { mode: { pin: '2026-07-28' } } }
      : { supportedProtocolVersions: ['2025-11-25'] }),
  },
);
client.setRequestHandler('elicitation/create', async ({ params }) => {
  process.send({ url: params.url });
  return { action: 'accept' };
});
const transport = new StdioClientTransport({ command, args, env: process.env, stderr: 'pipe' });
await client.connect(transport);
process.send({ pid: transport.pid });
await client.callTool({ name: 'login', arguments: {} });
