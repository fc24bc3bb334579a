/** fastmcp (npm), with its own HTTP server and sessions. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { FastMCP } from 'fastmcp';
import { z } from 'zod';
import { ECHO, ECHO_DESCRIPTION, SERVER_INFO, serve } from '../serve.js';

const silent = () => undefined;
// Its proxy writes a line for each stream, which would cost it time.
console.log = silent;

serve(async () => {
  const server = new FastMCP({
    ...SERVER_INFO,
    // By default, it writes a line for each session.
    logger: { debug: silent, error: silent, info: silent, log: silent, warn: silent },
  });
  server.addTool({
    name: ECHO,
    description: ECHO_DESCRIPTION,
    parameters: z.object({ text: z.string() }),
    execute: async ({ text }) => text,
  });
  const port = await freePort();
  await server.start({ transportType: 'httpStream', httpStream: { port, host: '127.0.0.1' } });
  return `http://127.0.0.1:${port}/mcp`;
});

/** It does not say which port it has chosen. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  // A TCP server that listens has an AddressInfo.
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
