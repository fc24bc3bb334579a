// A real 2025 client in a process of its own, to be killed without a word. The parent names the endpoint,
// then asks for one tool call after another.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

process.once('disconnect', () => process.exit(0));

process.once('message', async (mcp) => {
  const client = new Client(
    { name: 'child', version: '1.0.0' },
    { supportedProtocolVersions: ['2025-11-25'] },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(mcp)));
  process.on('message', async (tool) => {
    const { structuredContent } = await client.callTool({ name: tool, arguments: {} });
    process.send(structuredContent);
  });
  process.send({});
});
