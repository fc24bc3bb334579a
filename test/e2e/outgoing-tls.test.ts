import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FaultingProvider, logIn } from '../../packages/sessions/src/testing/index.js';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.js';
import { client2026, connect2025, type RawClient } from '../support/raw-mcp.js';
import { runServer, type ServerProcess, startServer } from '../support/server-process.js';
import { startTlsProxy, type TlsProxy } from '../support/tls-proxy.js';
import { ERAS, type Era } from '../support/transcribed-server.js';

const TOOLS = fileURLToPath(new URL('../support/notes-tools.mjs', import.meta.url));
const RESOLVE_HERE = fileURLToPath(new URL('resolve-here.cjs', import.meta.url));

/** A provider and its API, which only a client of the private authority can reach. */
let tls: TlsProxy;
let provider: FaultingProvider;
let proxy: ConnectProxy;
/** What the forward proxy does with a request. */
let refusal: number | undefined;
let authority: string;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  tls = await startTlsProxy();
  const { origin } = tls;
  provider = new FaultingProvider({
    issuer: origin,
    apiOrigins: [origin],
    api: (_request, user) => Response.json({ subject: user }, { status: user === undefined ? 401 : 200 }),
  });
  const server = createServer(
    getRequestListener((request) => provider.fetch(new Request(pathOn(origin, request), request)), {
      overrideGlobalObjects: false,
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The address of a listening TCP server is an AddressInfo.
  tls.forwardTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const port = Number(new URL(origin).port);
  // Only the proxy resolves the host name.
  proxy = await startConnectProxy(() => (refusal === undefined ? port : { refusal }));
  const folder = await mkdtemp(join(tmpdir(), 'mcp-sessions-'));
  authority = join(folder, 'authority.pem');
  await writeFile(authority, tls.authority);
  closing.push(
    () => tls.close(),
    () => proxy.close(),
    () => rm(folder, { recursive: true }),
    () => {
      server.close();
      server.closeAllConnections();
    },
  );
});
afterAll(async () => {
  for (const close of closing) await close();
});
beforeEach(() => {
  refusal = undefined;
  proxy.requested.length = 0;
});

function pathOn(origin: string, { url }: Request): URL {
  const { pathname, search } = new URL(url);
  return new URL(`${pathname}${search}`, origin);
}

type Environment = Readonly<Record<string, string>>;

const environmentOf = (network: Environment): Environment => ({
  MCP_SESSIONS_ISSUER: tls.origin,
  MCP_SESSIONS_CLIENT_ID: 'test',
  MCP_SESSIONS_SCOPES: 'profile',
  MCP_SESSIONS_API_ORIGINS: tls.origin,
  NOTES_API: tls.origin,
  ...network,
});

/** Starts the command: Node reads NODE_EXTRA_CA_CERTS at start. */
async function start(network: Environment): Promise<ServerProcess> {
  const flags = ['--tools', TOOLS, '--port', '0'];
  const server = await startServer({ flags, environment: environmentOf(network) });
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  return server;
}

const CONNECT: Readonly<Record<Era, (mcp: string) => Promise<RawClient>>> = {
  '2025': (mcp) => connect2025(mcp),
  '2026': async (mcp) => client2026(mcp),
};

const overTheNetwork = { handleRequest: (request: Request) => fetch(request, { redirect: 'manual' }) };

/** Logs a user in, calls the API and logs the user out. */
async function expectLogin(server: ServerProcess, era: Era): Promise<void> {
  const client = await CONNECT[era](server.addresses.mcp);
  const { structured, text } = await client.call('login');
  expect(structured, text).toMatchObject({ status: 'pending' });
  await logIn(overTheNetwork, structured.loginUrl, { provider, user: 'alice' });
  expect((await client.call('login')).structured).toMatchObject({
    status: 'authenticated',
    account: { subject: 'alice' },
  });
  expect((await client.call('whoami')).structured).toEqual({ subject: 'alice' });
  expect((await client.call('session_status')).structured).toMatchObject({ state: 'authenticated' });
  expect((await client.call('logout')).structured).toMatchObject({
    accounts: [{ revocation: 'confirmed' }],
  });
  expect(provider.livingUsers()).toEqual([]);
  await server.audit.first('the revocation', ({ event }) => event === 'account.revoked');
  expect(server.audit.entries.filter(({ event }) => event === 'provider.failed')).toEqual([]);
}

const hostOf = (origin: string) => new URL(origin).host;

describe.each(ERAS)('a provider with a certificate of a private authority (%s)', (era) => {
  it('is logged in at through the forward proxy of HTTPS_PROXY, with NODE_EXTRA_CA_CERTS', async () => {
    await expectLogin(await start({ HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: authority }), era);
    expect(new Set(proxy.requested)).toEqual(new Set([hostOf(tls.origin)]));
  });

  it('is logged in at without the forward proxy if NO_PROXY names its host', async () => {
    const network = {
      HTTPS_PROXY: proxy.url,
      NO_PROXY: new URL(tls.origin).hostname,
      NODE_EXTRA_CA_CERTS: authority,
      NODE_OPTIONS: `--require ${RESOLVE_HERE}`,
    };
    await expectLogin(await start(network), era);
    expect(proxy.requested).toEqual([]);
  });
});

/** What the user, the model and the operator see: the setting of the log, and the check with its variables. */
interface Failing {
  readonly what: string;
  readonly network: () => Environment;
  readonly refusal?: number;
  readonly says: string;
  readonly log: object;
  readonly check: string;
}

const FAILING: readonly Failing[] = [
  {
    what: 'a certificate that is not trusted',
    network: () => ({ HTTPS_PROXY: proxy.url }),
    says: 'the TLS certificate of the provider is not trusted',
    log: {
      reason: 'certificate_untrusted',
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      setting: 'NODE_EXTRA_CA_CERTS',
    },
    check: 'tls',
  },
  {
    what: 'a host name that only the proxy knows, and no proxy',
    network: () => ({ NODE_EXTRA_CA_CERTS: authority }),
    says: 'the host name of the provider was not found',
    log: { reason: 'name_not_resolved', setting: 'issuer, endpoints, HTTPS_PROXY' },
    check: 'name_resolution',
  },
  {
    what: 'a proxy that wants a password',
    network: () => ({ HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: authority }),
    refusal: 407,
    says: 'this server could not connect to the provider',
    log: { reason: 'connection_failed', status: 407, setting: 'issuer, endpoints, HTTPS_PROXY' },
    check: 'discovery',
  },
];

describe('a provider that cannot be reached', () => {
  it.each(FAILING)(
    'fails a login in both eras, and log, tool and check name cause and setting: $what',
    async ({ network, refusal: status, says, log, check }) => {
      refusal = status;
      const server = await start(network());
      for (const era of ERAS) {
        const client = await CONNECT[era](server.addresses.mcp);
        const { isError, text } = await client.call('login');
        expect([isError, text]).toEqual([true, expect.stringContaining(says)]);
        const { structured } = await client.call('session_status');
        expect(structured).toMatchObject({ state: 'anonymous' });
        expect(structured).not.toHaveProperty('pending');
      }
      const failure = await server.audit.first('the failure', ({ event }) => event === 'provider.failed');
      expect(failure).toMatchObject({ step: 'discovery', ...log });
      const { code, stdout } = await runServer({
        flags: ['check', '--json'],
        environment: environmentOf(network()),
      });
      expect(code).toBe(1);
      const [{ checks }] = JSON.parse(stdout.join(''));
      const { reason, setting } = failure;
      expect(checks.filter(({ result }: { result: string }) => result === 'failed')).toMatchObject([
        { check, setting, failure: { reason } },
      ]);
    },
  );
});
