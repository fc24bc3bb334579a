import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { directCaller } from '../direct-caller.js';
import { makeHome } from '../home.js';
import { environmentOf } from '../host-process.js';
import type { Candidate } from '../running-host.js';

/** The bridge by which a client that knows only stdio reaches a server over HTTP; the client is of SDK 2. */
export const mcpRemote: Candidate = {
  name: 'mcp-remote',
  title: 'mcp-remote',
  pin: 'mcp-remote',
  async settle(mcp, _access, user) {
    const home = await makeHome('mcp-remote', await user.sitDown());
    return {
      // It does so when it is first used.
      signIn: () => Promise.resolve(),
      async start() {
        const client = new Client({ name: 'bridged', version: '1.0.0' });
        const transport = new StdioClientTransport({
          command: home.node,
          args: [join(home.modules, 'mcp-remote/dist/proxy.js'), mcp, '--allow-http'],
          env: environmentOf(home),
          stderr: 'pipe',
        });
        let output = '';
        transport.stderr?.on('data', (chunk: Buffer) => {
          output += chunk.toString();
        });
        await client.connect(transport);
        const timeout = 10 * 60 * 1000;
        return {
          caller: directCaller({
            listTools: () => client.listTools(),
            callTool: (name, args) => client.callTool({ name, arguments: { ...args } }, { timeout }),
          }),
          output: () => output,
          close: () => client.close(),
        };
      },
      remove: () => rm(home.home, { recursive: true, force: true }),
    };
  },
};
