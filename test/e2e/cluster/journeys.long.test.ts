import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SESSION_META_KEY, STATUS_URI } from '../../../packages/sessions/src/index.js';
import { type Balancer, startBalancer } from '../../support/balancer.js';
import { Browser } from '../../support/browser.js';
import { readEvents } from '../../support/event-reader.js';
import { freePort } from '../../support/free-port.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../../support/identity-provider-process.js';
import { isInstalled } from '../../support/installed-program.js';
import { registerMcpClient } from '../../support/mcp-tokens.js';
import {
  client2026,
  messageOf,
  type RawClient,
  type RawWay,
  request2026,
  send,
  startLogin,
} from '../../support/raw-mcp.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { type ServerProcess, startServer } from '../../support/server-process.js';

const TOOLS = fileURLToPath(new URL('./journey-tools.mjs', import.meta.url));
const FORWARDED = { headers: { 'x-forwarded-for': '192.0.2.1' } };
/** Without the scope that `demand` demands. */
const SCOPES = 'openid profile';

/** Three processes behind a load balancer that hands requests to the one that a test says. */
interface Processes {
  readonly servers: readonly ServerProcess[];
  readonly mcp: string;
  /** Does something whose requests reach one of the processes. */
  at<T>(server: number, act: () => Promise<T>): Promise<T>;
  stop(): Promise<unknown>;
}

let redis: RedisServer;
let provider: IdentityProviderProcess;

async function startProcesses(
  namespace: string,
  environment: Readonly<Record<string, string>>,
): Promise<Processes> {
  const balancer: Balancer = await startBalancer();
  const masterKey = `a:${randomBytes(32).toString('base64')}`;
  const ports = [await freePort(), await freePort(), await freePort()];
  const servers = await Promise.all(
    ports.map((port) =>
      startServer({
        flags: ['--tools', TOOLS, '--port', String(port)],
        environment: {
          ...provider.serverEnvironment,
          MCP_SESSIONS_SCOPES: SCOPES,
          MCP_SESSIONS_PUBLIC_URL: balancer.url,
          MCP_SESSIONS_REDIS_URL: redis.url,
          MCP_SESSIONS_REDIS_NAMESPACE: namespace,
          MCP_SESSIONS_MASTER_KEYS: masterKey,
          ...environment,
        },
      }),
    ),
  );
  for (const port of ports) balancer.add(port);
  return {
    servers,
    mcp: `${balancer.url}/mcp`,
    async at(server, act) {
      balancer.only = ports[server];
      return act();
    },
    async stop() {
      await Promise.all(servers.map((server) => server.stop('SIGKILL')));
      await balancer.close();
    },
  };
}

const elicitedSchema = z.object({
  requestState: z.string(),
  inputRequests: z.object({ login: z.object({ params: z.object({ url: z.string() }) }) }),
});

/** The steps of a user in the browser, each of which reaches another process. */
async function logInAcross({ at }: Processes, link: string, user: string) {
  const browser = new Browser();
  const connect = await at(2, () => browser.open(link));
  const atProvider = await at(0, () => browser.submit(connect, { action: 'continue' }));
  return at(1, () => browser.submit(atProvider, { username: user, password: 'any' }));
}

/** A client that has logged in, with the login at the first process, the callback at the second. */
async function loggedIn(processes: Processes, user: string, way: RawWay): Promise<RawClient> {
  const client = client2026(processes.mcp, undefined, way);
  const link = await processes.at(0, () => startLogin(client));
  await logInAcross(processes, link, user);
  const { structured } = await processes.at(2, () => client.call('login'));
  expect(structured).toMatchObject({ status: 'authenticated' });
  return client;
}

/** Calls a tool as a client that opens links itself. */
async function callEliciting({ mcp }: Processes, way: RawWay, params: Record<string, unknown>) {
  const request = request2026(
    'tools/call',
    { arguments: {}, ...params },
    {
      capabilities: { elicitation: { url: {} } },
    },
  );
  return messageOf(await send(mcp, { ...request, headers: { ...request.headers, ...way.headers } }));
}

describe.skipIf(!isInstalled(REDIS))('three processes', () => {
  beforeAll(async () => {
    [redis, provider] = await Promise.all([
      startRedis(),
      startIdentityProviderProcess({ servesMcpClients: true, offersDeviceFlow: true }),
    ]);
  });
  afterAll(() => Promise.all([provider?.stop(), redis?.stop()]));

  describe.each(['open', 'bearer'] as const)('in %s access', (access) => {
    let processes: Processes;
    let wayOf: (user: string) => Promise<RawWay>;

    beforeAll(async () => {
      processes = await startProcesses(
        access,
        access === 'open'
          ? { MCP_SESSIONS_ACCESS: 'open-to-network', MCP_SESSIONS_DEVICE_FLOW: 'allowed' }
          : { MCP_SESSIONS_ACCESS_ISSUER: provider.issuer, MCP_SESSIONS_ACCESS_SCOPES: 'mcp' },
      );
      if (access === 'open') {
        wayOf = async () => ({});
        return;
      }
      const { tokenFor } = await registerMcpClient(provider.issuer, processes.mcp);
      wayOf = async (user) => ({ headers: { authorization: `Bearer ${await tokenFor(user)}` } });
    });
    afterAll(() => processes?.stop());

    it('serve a login that begins at one, returns to another, and is used at all', async () => {
      const client = await loggedIn(processes, 'alice', await wayOf('alice'));
      for (const server of [0, 1, 2]) {
        const { structured } = await processes.at(server, () => client.call('whoami'));
        expect(structured).toMatchObject({ subject: 'alice' });
      }
    });

    it('refuse and abort the calls of a session at once after its logout at another one, which is one event [security 49, 53]', async () => {
      const { servers, at, mcp } = processes;
      const way = await wayOf('bob');
      const client = await loggedIn(processes, 'bob', way);
      const params = { notifications: { resourceSubscriptions: [STATUS_URI] } };
      const meta = client.secret ? { [SESSION_META_KEY]: client.secret } : {};
      const { headers, body } = request2026('subscriptions/listen', params, { meta });
      const stream = await at(2, () =>
        readEvents(mcp, { method: 'POST', headers: { ...headers, ...way.headers }, body: body ?? '' }),
      );
      await stream.messages.first('the stream', ({ method }) => method?.endsWith('acknowledged') ?? false);
      const { call: holding } = await at(1, async () => {
        const call = client.call('hold');
        await servers[1]?.stderr.first('the call', (line) => line === 'holding');
        return { call };
      });
      const logged = servers.map(({ audit }) => audit.entries.length);
      await at(0, () => client.call('logout'));
      const refusal = { isError: true, text: expect.not.stringContaining('bob') };
      expect(await at(2, () => client.call('whoami'))).toMatchObject(refusal);
      // No request has reached the second process since, only the message of the first one.
      expect((await holding).text).toBe('aborted: signed_out');
      expect(await at(1, () => client.call('whoami'))).toMatchObject(refusal);
      await stream.messages.first(
        'the update',
        ({ method }) => method?.endsWith('resources/updated') ?? false,
      );
      const ends = servers.map(({ audit }, at) =>
        audit.entries
          .slice(logged[at])
          .filter(({ event, reason }) => /session\.(ended|signed_out)/.test(event) && reason === 'logout'),
      );
      expect(ends.map(({ length }) => length)).toEqual([ends[0]?.length, 0, 0]);
      expect(ends[0]?.length).toBeGreaterThan(0);
      for (const entry of ends[0] ?? [])
        expect(entry).toMatchObject({ node: expect.stringMatching(/.:\d+$/) });
      stream.close();
    });

    it('go on with a call that waits for a login at another one, once [security 16]', async () => {
      const way = await wayOf('carol');
      const name = 'subject';
      const asked = await processes.at(0, () => callEliciting(processes, way, { name }));
      const { requestState, inputRequests } = elicitedSchema.parse(asked.result);
      await logInAcross(processes, inputRequests.login.params.url, 'carol');
      const back = () =>
        callEliciting(processes, way, {
          name,
          requestState,
          inputResponses: { login: { action: 'accept' } },
        });
      const { result } = await processes.at(2, back);
      expect(result?.content[0]?.text).toContain('The user is carol.');
      const repeated = await processes.at(1, back);
      expect(JSON.stringify(repeated)).not.toContain('carol');
    });

    it('request the scope at a login that an API has demanded at another one', async () => {
      const client = await loggedIn(processes, 'dave', await wayOf('dave'));
      const demanded = await processes.at(0, () => client.call('demand'));
      expect(demanded).toMatchObject({ isError: true, text: expect.stringContaining('["notes"]') });
      const link = await processes.at(1, () => startLogin(client));
      await logInAcross(processes, link, 'dave');
      expect((await processes.at(0, () => client.call('login'))).structured).toMatchObject({
        status: 'authenticated',
      });
      const { structured } = await processes.at(2, () => client.call('session_status'));
      expect(structured).toMatchObject({
        accounts: [{ subject: 'dave', scopes: expect.arrayContaining(['notes']) }],
      });
    });

    if (access === 'bearer') return;

    it('complete a login whose confirmation code reaches another one', async () => {
      const client = client2026(processes.mcp, undefined, FORWARDED);
      const link = await processes.at(0, () => startLogin(client));
      const page = await logInAcross(processes, link, 'erin');
      const [code = ''] = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text) ?? [];
      for (const server of [0, 1, 2])
        expect(await processes.at(server, () => client.call('whoami'))).toMatchObject({ isError: true });
      const { structured } = await processes.at(2, () => client.call('login', { code }));
      expect(structured).toMatchObject({ status: 'authenticated' });
      expect((await processes.at(1, () => client.call('whoami'))).structured).toMatchObject({
        subject: 'erin',
      });
    });

    it('count the wrong confirmation codes of all of them', async () => {
      const client = client2026(processes.mcp, undefined, FORWARDED);
      const link = await processes.at(0, () => startLogin(client));
      const page = await logInAcross(processes, link, 'frank');
      const [code = ''] = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text) ?? [];
      const wrong = code.slice(0, -1) + (code.endsWith('0') ? '1' : '0');
      for (let attempt = 0; attempt < 5; attempt++)
        await processes.at(attempt % 3, () => client.call('login', { code: wrong }));
      const late = await processes.at(2, () => client.call('login', { code }));
      expect(late.structured).not.toMatchObject({ status: 'authenticated' });
      expect(await processes.at(0, () => client.call('whoami'))).toMatchObject({ isError: true });
    });

    it('complete a login by the device flow at another one', async () => {
      const client = client2026(processes.mcp);
      const { structured } = await processes.at(0, () => client.call('login', { flow: 'device' }));
      await new Browser().approve(String(structured.loginUrl), String(structured.userCode), 'grace');
      expect((await processes.at(1, () => client.call('login'))).structured).toMatchObject({
        status: 'authenticated',
      });
      expect((await processes.at(2, () => client.call('whoami'))).structured).toMatchObject({
        subject: 'grace',
      });
    });
  });
});
