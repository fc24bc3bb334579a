import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { end, own } from './child-processes.js';
import { freePort } from './free-port.js';
import { type HeldLink, startHeldLink } from './held-link.js';
import { REDIS, type RedisServer, startRedis } from './redis-server.js';

/** A way to a failover: the primary is killed, or an operator asks a sentinel for one. */
export type FailoverCause = 'kill -9 of the primary' | 'SENTINEL FAILOVER';

/** The password of the sentinels, and that of the engines. */
export interface SentinelPasswords {
  readonly sentinels: string;
  readonly engines: string;
}

/** A primary with a replica, and three sentinels. */
export interface ReplicatedEngine {
  readonly name: string;
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** Whether the replica has a key. */
  replicaHas(key: string): Promise<boolean>;
  /** The replica receives nothing from now on. */
  holdReplication(): void;
  /** Has the replica take over, and waits until all sentinels say so. */
  failOver(cause: FailoverCause): Promise<void>;
  stop(): Promise<void>;
}

const NAME = 'sessions';
const SENTINELS = 3;
const QUORUM = 2;

/** Starts a primary, a replica and three sentinels, and waits until the replica has the data and the sentinels know all. */
export async function startReplicatedEngine(passwords?: SentinelPasswords): Promise<ReplicatedEngine> {
  const engineOptions = passwords
    ? ['--requirepass', passwords.engines, '--masterauth', passwords.engines]
    : [];
  const primary = await startRedis(engineOptions);
  const link = await startHeldLink(primary.port);
  const replica = await startRedis([...engineOptions, '--replicaof', `127.0.0.1 ${link.port}`]);
  const folder = await mkdtemp(join(tmpdir(), 'sentinels-'));
  const ports = await Promise.all(Array.from({ length: SENTINELS }, freePort));
  const children = await Promise.all(
    ports.map((port) =>
      startSentinel(join(folder, `${port}.conf`), configurationOf(port, primary, passwords)),
    ),
  );
  const clients = ports.map(
    (port) => new Redis(port, { password: passwords?.sentinels, enableReadyCheck: false }),
  );
  // They connect again until the sentinels listen.
  for (const client of clients) client.on('error', () => undefined);
  const ofReplica = new Redis(replica.port, { password: passwords?.engines });
  const stop = async () => {
    for (const client of [...clients, ofReplica]) client.disconnect();
    link.close();
    await Promise.all(children.map((child) => end(child, 'SIGKILL')));
    await Promise.all([primary.stop(), replica.stop()]);
    await rm(folder, { recursive: true, force: true });
  };
  await expect.poll(() => ofReplica.info('replication')).toContain('master_link_status:up');
  for (const client of clients) await expect.poll(() => isComplete(client)).toBe(true);
  return {
    name: NAME,
    sentinels: ports.map((port) => ({ host: '127.0.0.1', port })),
    primary,
    replica,
    replicaHas: async (key) => (await ofReplica.exists(key)) === 1,
    holdReplication: () => link.hold(),
    failOver: (cause) => failOver(cause, { primary, replica, link, clients }),
    stop,
  };
}

function configurationOf(port: number, primary: RedisServer, passwords?: SentinelPasswords): string {
  return [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 60000`,
    ...(passwords
      ? [
          `requirepass ${passwords.sentinels}`,
          `sentinel sentinel-pass ${passwords.sentinels}`,
          `sentinel auth-pass ${NAME} ${passwords.engines}`,
        ]
      : []),
    '',
  ].join('\n');
}

async function startSentinel(path: string, configuration: string) {
  await writeFile(path, configuration);
  const child = own(spawn(REDIS.path, [path, '--sentinel'], { stdio: ['ignore', 'pipe', 'inherit'] }));
  child.stdout.resume();
  return child;
}

/** Whether a sentinel knows the replica and the other sentinels. */
async function isComplete(client: Redis): Promise<boolean> {
  const fields = (await client.call('SENTINEL', 'MASTER', NAME)) as string[];
  const field = (name: string) => fields[fields.indexOf(name) + 1];
  return field('flags') === 'master' && field('num-slaves') === '1' && field('num-other-sentinels') === '2';
}

interface FailoverParts {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly link: HeldLink;
  readonly clients: readonly Redis[];
}

async function failOver(
  cause: FailoverCause,
  { primary, replica, link, clients }: FailoverParts,
): Promise<void> {
  if (cause === 'kill -9 of the primary') {
    primary.kill('SIGKILL');
    link.close();
  } else {
    const begin = () => clients[0]?.call('SENTINEL', 'FAILOVER', NAME).catch(({ message }: Error) => message);
    await expect.poll(begin).toBe('OK');
  }
  const portOf = async (client: Redis) => {
    const address = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as string[];
    return Number(address[1]);
  };
  for (const client of clients) await expect.poll(() => portOf(client)).toBe(replica.port);
}
