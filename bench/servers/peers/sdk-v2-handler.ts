/** `createMcpHandler` of the MCP SDK v2 on node:http, as its README shows: revision 2026-07-28, without sessions. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { ECHO, ECHO_DESCRIPTION, SERVER_INFO, serve } from '../serve.js';

const inputSchema = z.object({ text: z.string() });

serve(async () => {
  const handler = createMcpHandler(() => {
    const server = new McpServer(SERVER_INFO);
    server.registerTool(ECHO, { description: ECHO_DESCRIPTION, inputSchema }, ({ text }) => ({
      content: [{ type: 'text', text }],
    }));
    return server;
  });
  // Its types declare optional properties without `exactOptionalPropertyTypes`.
  const server = createServer(toNodeHandler(handler) as RequestListener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server that listens has an AddressInfo.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
});
