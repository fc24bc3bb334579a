import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { STATUS_URI } from '../../../packages/sessions/src/index.js';
import { Browser } from '../../support/browser.js';
import { freePort } from '../../support/free-port.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../../support/identity-provider-process.js';
import { isInstalled } from '../../support/installed-program.js';
import {
  client2026,
  connect2025,
  JSON_HEADERS,
  type RawClient,
  send,
  startLogin,
} from '../../support/raw-mcp.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { type ServerProcess, startServer } from '../../support/server-process.js';
import { NGINX } from '../nginx/nginx.js';
import { eventContaining, Wire2025 } from '../wire-stream.js';
import {
  type BalancerPorts,
  type BalancerProgram,
  HAPROXY,
  startHaproxyExample,
  startNginxExample,
} from './balancer-programs.js';

const TOOLS = fileURLToPath(new URL('./node-tools.mjs', import.meta.url));
const CASES = [
  { program: NGINX, start: startNginxExample, both: 'nginx.conf', only2026: 'nginx-2026.conf' },
  { program: HAPROXY, start: startHaproxyExample, both: 'haproxy.cfg', only2026: 'haproxy-2026.cfg' },
];
const KEYS = `a:${randomBytes(32).toString('base64')}`;
/** Enough for each of three servers to have a turn. */
const CALLS = 6;

let redis: RedisServer;
let provider: IdentityProviderProcess;

/** A server and its process. */
interface Member {
  readonly port: number;
  readonly server: ServerProcess;
}

/** Starts three servers, as an operator does. */
async function startMembers({ front, servers }: BalancerPorts, namespace: string): Promise<Member[]> {
  const members: Member[] = [];
  for (const port of servers) {
    const server = await startServer({
      flags: [
        '--tools',
        TOOLS,
        '--port',
        String(port),
        '--access',
        'open-to-network',
        '--drain-seconds',
        '120',
      ],
      environment: {
        ...provider.serverEnvironment,
        MCP_SESSIONS_PUBLIC_URL: `http://127.0.0.1:${front}`,
        MCP_SESSIONS_TRUSTED_PROXIES: '127.0.0.1',
        MCP_SESSIONS_REDIS_URL: redis.url,
        MCP_SESSIONS_REDIS_NAMESPACE: namespace,
        MCP_SESSIONS_MASTER_KEYS: KEYS,
      },
    });
    members.push({ port, server });
  }
  return members;
}

/** Logs in through the balancer: a proxy is in between, so the client sends the code that the browser shows. */
async function logIn<Client extends RawClient>(client: Client, user: string): Promise<Client> {
  const page = await new Browser().logIn(await startLogin(client), user);
  const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0] ?? '';
  expect((await client.call('login', { code })).structured).toMatchObject({ status: 'authenticated' });
  return client;
}

const areAllServers = (processes: readonly string[]) => new Set(processes).size === 3;

/** The processes that answer calls, one after the other. */
async function answering(client: RawClient): Promise<string[]> {
  const processes: string[] = [];
  for (let call = 0; call < CALLS; call++) processes.push((await client.call('process')).text);
  return processes;
}

const readyAt = async ({ port }: Member) => (await send(`http://127.0.0.1:${port}/readyz`)).status;

/** The server whose process has an id. */
async function memberAt(members: readonly Member[], id: string): Promise<Member> {
  for (const member of members) {
    const own = await client2026(`http://127.0.0.1:${member.port}/mcp`).call('process');
    if (own.text === id) return member;
  }
  throw new Error(`No server has the process ${id}.`);
}

describe.skipIf(!isInstalled(REDIS))('a load balancer of the documentation', () => {
  beforeAll(async () => {
    provider = await startIdentityProviderProcess();
  });
  afterAll(() => provider?.stop());

  describe.each(CASES.filter(({ program }) => isInstalled(program)))(
    '$program.debianPackage',
    ({ program, start, both, only2026 }) => {
      let balancer: BalancerProgram;
      let ports: BalancerPorts;
      let members: Member[];
      const mcp = () => `${balancer.url}/mcp`;

      const statusOf = async ({ secret }: RawClient) => {
        const headers = { ...JSON_HEADERS, 'mcp-session-id': secret };
        const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
        return (await send(mcp(), { method: 'POST', headers, body })).status;
      };
      /** The number of servers that HAProxy has found to be ready by a check. */
      const readyServers = async () =>
        (await balancer.ask('show stat')).match(/^ready,[123],.*,UP,.*,L7OK,/gm)?.length;
      /** The number of servers that HAProxy has found not to be ready. */
      const downServers = async () =>
        (await balancer.ask('show stat')).match(/^ready,[123],.*,DOWN,/gm)?.length;

      beforeAll(async () => {
        ports = { front: await freePort(), servers: [await freePort(), await freePort(), await freePort()] };
        redis = await startRedis();
        members = await startMembers(ports, `test${randomBytes(8).toString('hex')}`);
      });
      afterAll(async () => {
        await Promise.all(members.map(({ server }) => server.stop('SIGKILL')));
        await redis.stop();
      });
      afterEach(() => balancer.stop());

      describe(`with ${only2026}`, () => {
        beforeEach(async () => {
          balancer = await start(only2026, ports);
        });

        it('hands the requests of one 2026 login to all servers', async () => {
          const client = await logIn(client2026(mcp()), 'alice');
          await expect.poll(() => answering(client)).toSatisfy(areAllServers);
          expect((await client.call('whoami')).text).toContain('alice');
        });

        it('does not keep 2025 connections at their server', async () => {
          const client = await connect2025(mcp());
          const statuses = [await statusOf(client), await statusOf(client), await statusOf(client)];
          expect(statuses).toContain(404);
        });
      });

      describe(`with ${both}`, () => {
        beforeEach(async () => {
          balancer = await start(both, ports);
        });

        it('hands the requests of one 2026 login to all servers', async () => {
          const client = await logIn(client2026(mcp()), 'alice');
          if (program === HAPROXY) await expect.poll(readyServers).toBe(3);
          await expect.poll(() => answering(client)).toSatisfy(areAllServers);
          expect((await client.call('whoami')).text).toContain('alice');
        });

        it('keeps each 2025 connection at the server that opened it, and its login at all', async () => {
          const users = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank'];
          const clients: RawClient[] = [];
          for (const user of users) clients.push(await logIn(await connect2025(mcp()), user));
          const homes: string[] = [];
          for (const client of clients) {
            const processes = new Set(await answering(client));
            expect(processes.size).toBe(1);
            homes.push(...processes);
          }
          expect(new Set(homes).size).toBeGreaterThan(1);
          for (const [at, client] of clients.entries())
            expect((await client.call('whoami')).text).toContain(users[at]);
        });

        it('passes on events of a stream while it is open, and the end of a connection', async () => {
          const client = await connect2025(mcp());
          const wire = new Wire2025(client.secret);
          const stream = await wire.listen(mcp());
          expect([stream.status, stream.headers['content-type']]).toEqual([200, 'text/event-stream']);
          await wire.post(mcp(), { id: 1, method: 'resources/subscribe', params: { uri: STATUS_URI } });
          await logIn(client, 'alice');
          await eventContaining(stream, 'notifications/resources/updated');
          expect((await client.end()).status).toBe(200);
          await stream.over;
          const headers = { ...JSON_HEADERS, 'mcp-session-id': client.secret };
          expect((await send(mcp(), { headers })).status).toBe(404);
        });

        it('hands no request to a server that is stopping, while its calls go on', async () => {
          const login = await logIn(client2026(mcp()), 'alice');
          const connection = await connect2025(mcp());
          const home = (await connection.call('process')).text;
          const held = connection.call('hold');
          const stopping = await memberAt(members, home);
          stopping.server.signal('SIGTERM');
          await expect.poll(() => readyAt(stopping)).toBe(503);
          expect(await answering(login)).not.toContain(home);
          if (program === HAPROXY) await expect.poll(downServers).toBe(1);
          expect(await answering(login)).not.toContain(home);
          stopping.server.signal('SIGUSR2');
          expect((await held).text).toBe(home);
          await stopping.server.ended;
          members = members.filter((member) => member !== stopping);
          expect(await answering(login)).not.toContain(home);
          expect(await statusOf(connection)).toBe(404);
          await logIn(await connect2025(mcp()), 'alice');
        });

        it('passes on what the servers say while the engine is down', async () => {
          const connection = await connect2025(mcp());
          await redis.stop();
          for (const member of members) await expect.poll(() => readyAt(member)).toBe(503);
          if (program === HAPROXY) await expect.poll(downServers).toBe(3);
          expect(await statusOf(connection)).toBe(503);
          const page = await send(`${balancer.url}/connect/any`, { headers: { accept: 'text/html' } });
          expect([page.status, page.headers['retry-after']]).toEqual([503, '1']);
          expect(page.text).toContain('Wait a few seconds, then reload this page.');
        });
      });
    },
  );
});
