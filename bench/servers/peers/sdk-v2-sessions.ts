/** The MCP SDK v2 with a transport for each session, on Express, as its documentation shows. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createMcpExpressApp } from '@modelcontextprotocol/express';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { isInitializeRequest, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { ECHO, ECHO_DESCRIPTION, SERVER_INFO, serve } from '../serve.js';

const inputSchema = z.object({ text: z.string() });
const transports = new Map<string, NodeStreamableHTTPServerTransport>();

/** @param enableJsonResponse whether answers are JSON. By default, the SDK answers with an event stream. */
async function connect(enableJsonResponse: boolean): Promise<NodeStreamableHTTPServerTransport> {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void transports.set(id, transport),
    enableJsonResponse,
  });
  transport.onclose = () => void transports.delete(transport.sessionId ?? '');
  const server = new McpServer(SERVER_INFO);
  server.registerTool(ECHO, { description: ECHO_DESCRIPTION, inputSchema }, ({ text }) => ({
    content: [{ type: 'text', text }],
  }));
  await server.connect(transport);
  return transport;
}

serve(async (argument) => {
  const answersJson = argument === 'json';
  const app = createMcpExpressApp();
  app.all('/mcp', async (request, response) => {
    const known = transports.get(String(request.headers['mcp-session-id']));
    if (!known && !isInitializeRequest(request.body)) return void response.sendStatus(404);
    const transport = known ?? (await connect(answersJson));
    await transport.handleRequest(request, response, request.body);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server that listens has an AddressInfo.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
});
