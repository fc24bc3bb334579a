// A real 2025 client in its own process, which a test can kill. The parent sends the endpoint, then one tool
// name at a time.
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
