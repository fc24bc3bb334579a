import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Deployment, startDeployment } from '../support/deployment.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../support/identity-provider-process.js';
import { eventually } from '../support/journal.js';
import { CLIENT_KINDS, connect } from '../support/mcp-clients.js';
import { request2026, send } from '../support/raw-mcp.js';
import { FREE_PORTS, runServer, type ServerOptions, startServer } from '../support/server-process.js';

const RECORDER = new URL('../support/record-loaded-modules.mjs', import.meta.url).href;
/** Modules of the embedded provider and API, and their dependencies. */
const EMBEDDED = /packages\/server\/dist\/sample\/|node_modules\/(oidc-provider|koa)\//;
/** Modules of an engine that several servers share. */
const ENGINE = /store\/redis\/|node_modules\/ioredis\//;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'real-provider-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function deploy(): Promise<Deployment> {
  const deployment = await startDeployment();
  onTestFinished(() => deployment.stop());
  return deployment;
}

async function start(options: ServerOptions) {
  const server = await startServer(options);
  onTestFinished(() => void server.stop());
  return server;
}

async function startProvider(): Promise<IdentityProviderProcess> {
  const provider = await startIdentityProviderProcess();
  onTestFinished(() => provider.stop());
  return provider;
}

/** Runs a server that records its imports. @returns the imports */
async function modulesLoadedBy(
  options: ServerOptions,
  use: (mcp: string) => Promise<void>,
): Promise<string[]> {
  const file = join(await mkdtemp(join(folder, 'loaded-')), 'modules');
  const recording = { NODE_OPTIONS: `--import=${RECORDER}`, LOADED_MODULES: file };
  const server = await start({ ...options, environment: { ...options.environment, ...recording } });
  await use(server.addresses.mcp);
  await server.stop();
  return (await readFile(file, 'utf8')).split('\n');
}

/** Logs in, calls a tool and logs out. */
async function useOnce(mcp: string): Promise<void> {
  const client = await connect('SDK 2.x auto', mcp);
  await client.logIn('alice');
  expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
  await client.call('logout');
  await client.close();
}

async function moduleFile(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

describe('the server with a provider from the environment', () => {
  it('serves the tools of the operator to every kind of client', async () => {
    const { mcp, provider, server } = await deploy();
    expect(server.addresses).toEqual({ mcp, identityProvider: provider.issuer, api: null });
    for (const kind of CLIENT_KINDS) {
      const client = await connect(kind, mcp);
      const { account } = await client.logIn(kind);
      expect(account).toMatchObject({ subject: kind });
      await client.call('add_note', { text: 'milk' });
      expect((await client.call('list_notes')).structured).toMatchObject({ notes: [{ text: 'milk' }] });
      expect(await provider.activeTokens()).toHaveLength(2);
      expect((await client.call('logout')).structured).toMatchObject({
        accounts: [{ revocation: 'confirmed' }],
      });
      expect(await provider.activeTokens()).toEqual([]);
      await client.close();
    }
  });

  it('does not load the embedded provider and API', async () => {
    const provider = await startProvider();
    const options = { flags: provider.serverFlags, environment: provider.serverEnvironment };
    const modules = await modulesLoadedBy(options, useOnce);
    expect(modules).toContainEqual(expect.stringContaining('packages/server/dist/main.js'));
    expect(modules).toContainEqual(expect.stringContaining('test/support/notes-tools.mjs'));
    expect(modules.filter((url) => ENGINE.test(url))).toEqual([]);
    expect(modules.filter((url) => EMBEDDED.test(url))).toEqual([]);
    // Shows that the recorder works.
    const embedded = (await modulesLoadedBy({ flags: FREE_PORTS }, useOnce)).filter((url) =>
      EMBEDDED.test(url),
    );
    for (const name of ['/identity-provider.js', '/notes-api.js', '/oidc-provider/']) {
      expect(embedded).toContainEqual(expect.stringContaining(name));
    }
  });

  it('[security 40] accepts small requests without Content-Length', async () => {
    const { mcp } = await deploy();
    const { headers = {}, body = '' } = request2026('tools/list', {});
    const chunks = [body.slice(0, 20), body.slice(20)];
    expect((await send(mcp, { method: 'POST', headers, chunks })).status).toBe(200);
    const oneMebibyte = ' '.repeat(1024 * 1024);
    expect((await send(mcp, { method: 'POST', headers, chunks: [...chunks, oneMebibyte] })).status).toBe(413);
  });

  it('ends on Ctrl-C even if the provider hangs', async () => {
    const { mcp, provider, server } = await deploy();
    const client = await connect('SDK 2.x pinned to 2026', mcp);
    await client.logIn('alice');
    provider.freeze();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    await client.close();
  });
});

describe('the server with a provider that is down', () => {
  it('starts, reports it at login, and serves logins without a restart once the provider is up', async () => {
    const provider = await startProvider();
    await provider.goDown();
    const server = await start({ flags: provider.serverFlags, environment: provider.serverEnvironment });
    await server.stderr.first('the warning', (line) => line.includes('The check of the provider failed'));
    const clients = await Promise.all(CLIENT_KINDS.map((kind) => connect(kind, server.addresses.mcp)));
    for (const client of clients) {
      const refused = await client.call('login');
      expect(refused).toMatchObject({ isError: true, structured: {} });
      expect(refused.text).toMatch(/cannot be reached.*Try again/);
    }

    await provider.comeBack();
    for (const client of clients) {
      await eventually('a login to start', async () => !(await client.call('login')).isError || undefined);
      await client.logIn('alice');
      expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
      await client.close();
    }
  });
});

describe('the server with an incomplete configuration', () => {
  async function lineOf(options: ServerOptions): Promise<string> {
    const { code, stdout, stderr } = await runServer(options);
    expect({ code, stdout, lines: stderr.length }).toEqual({ code: 1, stdout: [], lines: 1 });
    return stderr[0] ?? '';
  }

  it('names the missing value in one line', async () => {
    const environment = { MCP_SESSIONS_ISSUER: 'http://127.0.0.1:1' };
    expect(await lineOf({ flags: ['--port', '0'], environment })).toMatch(
      /^MCP_SESSIONS_CLIENT_ID is missing/,
    );
  });

  const complete = { MCP_SESSIONS_ISSUER: 'http://127.0.0.1:1', MCP_SESSIONS_CLIENT_ID: 'mcp-sessions' };
  const lineFor = async (content: string, environment: Record<string, string> = complete) => {
    const path = await moduleFile(`${randomUUID()}.mjs`, content);
    return lineOf({ flags: ['--port', '0', '--tools', path], environment });
  };

  it('reports the refusal of the library in one line', async () => {
    const environment = { ...complete, MCP_SESSIONS_PUBLIC_URL: 'http://mcp.example.com' };
    expect(await lineFor('export default () => {};', environment)).toMatch(
      /http:\/\/mcp\.example\.com.* is not a valid MCP_SESSIONS_PUBLIC_URL/,
    );
  });

  it('asks for a tools module', async () => {
    expect(await lineOf({ flags: ['--port', '0'], environment: complete })).toContain('--tools');
  });

  it('reports in one line why the tools module cannot be used', async () => {
    expect(await lineFor("throw new Error('no database');")).toMatch(/cannot be loaded: no database/);
    const taking = `import { z } from '${import.meta.resolve('zod')}';
      export default (server) => server.registerTool(
        'mine', { description: '', inputSchema: z.object({ session: z.string() }) }, () => ({ content: [] }));`;
    expect(await lineFor(taking)).toMatch(/"?mine"?.*session/);
  });
});
