/** The MCP SDK v1 with a transport for each session, on Express, as its documentation shows. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { ECHO, ECHO_DESCRIPTION, SERVER_INFO, serve } from '../serve.js';

const inputSchema = { text: z.string() };
const transports = new Map<string, StreamableHTTPServerTransport>();

async function connect(): Promise<StreamableHTTPServerTransport> {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void transports.set(id, transport),
  });
  transport.onclose = () => void transports.delete(transport.sessionId ?? '');
  const server = new McpServer(SERVER_INFO);
  server.registerTool(ECHO, { description: ECHO_DESCRIPTION, inputSchema }, ({ text }) => ({
    content: [{ type: 'text', text }],
  }));
  // The transport's optional properties are declared without `exactOptionalPropertyTypes`.
  await server.connect(transport as Parameters<typeof server.connect>[0]);
  return transport;
}

serve(async () => {
  const app = createMcpExpressApp();
  app.all('/mcp', async (request, response) => {
    const known = transports.get(String(request.headers['mcp-session-id']));
    if (!known && !isInitializeRequest(request.body)) return void response.sendStatus(404);
    const transport = known ?? (await connect());
    await transport.handleRequest(request, response, request.body);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server that listens has an AddressInfo.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
});
