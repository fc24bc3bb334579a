import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../support/free-port.js';
import { isInstalled } from '../../support/installed-program.js';
import { createPrivateAuthority, type PrivateAuthority } from '../../support/private-authority.js';
import { REDIS, type RedisServer, startRedis } from '../../support/redis-server.js';
import { runServer, startServer } from '../../support/server-process.js';

/** No server listens on port 2. */
const NOWHERE = 'http://127.0.0.1:2';
const TOOLS = fileURLToPath(new URL('../../support/notes-tools.mjs', import.meta.url));
const MASTER_KEY = `a:${randomBytes(32).toString('base64')}`;
let files: PrivateAuthority;
let primary: RedisServer;
let replica: RedisServer;
let url: string;

async function startWithTls(options: readonly string[] = []) {
  const port = await freePort();
  const { authority, certificate, key } = files;
  const tls = ['--tls-port', String(port), '--tls-cert-file', certificate, '--tls-key-file', key];
  const redis = await startRedis([
    ...tls,
    '--tls-ca-cert-file',
    authority,
    '--tls-auth-clients',
    'no',
    ...options,
  ]);
  return { redis, port };
}

const environment = (): Record<string, string> => ({
  MCP_SESSIONS_ISSUER: NOWHERE,
  MCP_SESSIONS_CLIENT_ID: 'client',
  MCP_SESSIONS_API_ORIGINS: NOWHERE,
  MCP_SESSIONS_PUBLIC_URL: 'http://127.0.0.1:3000',
  MCP_SESSIONS_REDIS_URL: url,
  MCP_SESSIONS_MASTER_KEYS: MASTER_KEY,
});

describe.skipIf(!isInstalled(REDIS))('a server whose engine has TLS', () => {
  beforeAll(async () => {
    files = await createPrivateAuthority('IP:127.0.0.1');
    const started = await startWithTls();
    primary = started.redis;
    url = `rediss://127.0.0.1:${started.port}`;
    const replication = ['--tls-replication', 'yes', '--replicaof', `127.0.0.1 ${started.port}`];
    replica = (await startWithTls(replication)).redis;
  });
  afterAll(async () => {
    await Promise.all([primary, replica].map((redis) => redis?.stop()));
    await files.remove();
  });

  it('uses it, and checks its replicas with TLS, if Node trusts its certificate', async () => {
    const ofReplica = new Redis(replica.url);
    onTestFinished(() => ofReplica.disconnect());
    await expect.poll(() => ofReplica.info('replication')).toContain('master_link_status:up');
    const port = await freePort();
    const server = await startServer({
      flags: ['--tools', TOOLS, '--port', String(port)],
      environment: { ...environment(), NODE_EXTRA_CA_CERTS: files.authority },
    });
    onTestFinished(async () => void (await server.stop()));
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    const client = new Redis(primary.url);
    onTestFinished(() => client.disconnect());
    const connected = String(await client.call('CLIENT', 'LIST'));
    expect(
      connected.match(new RegExp(`laddr=127.0.0.1:${new URL(url).port} .*cmd=subscribe`, 'g')),
    ).toHaveLength(1);
    // The checks look at the settings of replicas as well.
    expect(await ofReplica.info('commandstats')).toContain('cmdstat_config|get');
  });

  it('does not start if Node does not trust its certificate, and says so', async () => {
    const { code, stderr } = await runServer({ flags: ['--tools', TOOLS], environment: environment() });
    expect(code).not.toBe(0);
    expect(stderr.join('\n')).toMatch(/The engine at 127\.0\.0\.1:\d+ cannot be reached: .*certificate/);
  });
});
