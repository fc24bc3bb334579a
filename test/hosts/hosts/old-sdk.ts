import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { directCaller } from '../direct-caller.js';
import { makeHome } from '../home.js';
import { RememberedSignIn } from '../remembered-sign-in.js';
import type { Candidate, RunningHost } from '../running-host.js';

type SdkClient = new (info: { name: string; version: string }) => Client;
type SdkTransport = new (url: URL, options: object) => StreamableHTTPClientTransport;

/** A client of an SDK that many hosts still carry. */
function oldSdk(version: string): Candidate {
  const pin = `sdk-${version}`;
  return {
    name: pin,
    title: `client of SDK ${version}`,
    pin,
    async settle(mcp, access, user) {
      const home = await makeHome(pin, {});
      const folder = join(home.modules, '@modelcontextprotocol/sdk/dist/esm/client');
      const load = (file: string) => import(pathToFileURL(join(folder, file)).href);
      // What is imported from outside has no types; these are those of the version in the repository.
      const sdk = (await load('index.js')) as { Client: SdkClient };
      const http = (await load('streamableHttp.js')) as { StreamableHTTPClientTransport: SdkTransport };
      const signIn = await RememberedSignIn.prepare(user);
      const options = access === 'bearer' ? { authProvider: signIn } : {};
      const connect = async () => {
        const client = new sdk.Client({ name: pin, version: '1.0.0' });
        const transport = new http.StreamableHTTPClientTransport(new URL(mcp), options);
        return { client, transport };
      };
      return {
        async signIn() {
          const { client, transport } = await connect();
          await client.connect(transport as Parameters<Client['connect']>[0]).catch(() => undefined);
          await transport.finishAuth(await signIn.code());
          await client.close();
        },
        async start() {
          const { client, transport } = await connect();
          await client.connect(transport as Parameters<Client['connect']>[0]);
          return running(client);
        },
        async remove() {
          signIn.close();
          await rm(home.home, { recursive: true, force: true });
        },
      };
    },
  };
}

function running(client: Client): RunningHost {
  let errors = '';
  client.onerror = (error) => {
    errors += `Error: ${error.message}\n`;
  };
  const timeout = 10 * 60 * 1000;
  return {
    caller: directCaller({
      listTools: () => client.listTools(),
      callTool: (name, args) => client.callTool({ name, arguments: { ...args } }, undefined, { timeout }),
    }),
    output: () => errors,
    close: () => client.close(),
  };
}

export const oldSdks: readonly Candidate[] = ['1.10', '1.12', '1.23'].map(oldSdk);
