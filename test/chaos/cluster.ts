import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTcpProxy, type TcpProxy } from '../e2e/tcp-proxy.js';
import { end, own } from '../support/child-processes.js';
import { freePort } from '../support/free-port.js';
import { eventually } from '../support/journal.js';
import { send } from '../support/raw-mcp.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { type ChaosBalancer, startChaosBalancer } from './balancer.js';

const here = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));

/** The requests that a node has to answer before a fault is over. */
const ANSWERS_AFTER_FAULT = 10;

/** One server, and its network to the engine. */
export interface ChaosNode {
  readonly name: string;
  readonly port: number;
  readonly proxy: TcpProxy;
  server: ServerProcess;
  /** Whether it is stopped with SIGSTOP. */
  isPaused: boolean;
}

export interface ClusterOptions {
  /** Receives all logs, and what the engine is sent. */
  readonly folder: string;
  /** The environment of the servers. */
  readonly environment: Readonly<Record<string, string>>;
  readonly masterKey: string;
}

/** Three servers of the built product on one engine, behind a load balancer. */
export class ChaosCluster {
  readonly balancer: ChaosBalancer;
  readonly nodes: ChaosNode[] = [];
  readonly #options: ClusterOptions;
  #engine: RedisServer;
  #monitor: ChildProcess;
  #engines = 1;
  #servers = 0;

  private constructor(options: ClusterOptions, engine: RedisServer, balancer: ChaosBalancer) {
    this.#options = options;
    this.#engine = engine;
    this.balancer = balancer;
    this.#monitor = this.#watch();
  }

  static async start(options: ClusterOptions): Promise<ChaosCluster> {
    const cluster = new ChaosCluster(options, await startRedis(), await startChaosBalancer());
    for (const name of ['a', 'b', 'c']) {
      const port = await freePort();
      const proxy = await startTcpProxy(cluster.#engine.url);
      const server = await cluster.#startServer({ name, port, proxy });
      cluster.nodes.push({ name, port, proxy, server, isPaused: false });
      cluster.balancer.add(name, port);
    }
    return cluster;
  }

  get active(): ChaosNode[] {
    return this.nodes.filter(({ isPaused }) => !isPaused);
  }

  async #startServer({
    name,
    port,
    proxy,
  }: Pick<ChaosNode, 'name' | 'port' | 'proxy'>): Promise<ServerProcess> {
    const { folder, environment, masterKey } = this.#options;
    const own = join(folder, `server-${name}-${++this.#servers}`);
    await mkdir(own);
    return startServer({
      folder: own,
      nodeOptions: ['--import', here('name-requests.mjs')],
      flags: ['--tools', here('tools.mjs'), '--port', String(port)],
      environment: {
        ...environment,
        CHAOS_NODE: name,
        MCP_SESSIONS_PUBLIC_URL: this.balancer.url,
        MCP_SESSIONS_REDIS_URL: proxy.through(this.#engine.url),
        MCP_SESSIONS_MASTER_KEYS: masterKey,
        MCP_SESSIONS_LIMITS: JSON.stringify({ loginStartsPerMinute: 100_000 }),
      },
    });
  }

  async kill(node: ChaosNode): Promise<void> {
    await node.server.stop('SIGKILL');
    await this.#keepLog(node);
  }

  async restart(node: ChaosNode): Promise<void> {
    node.server = await this.#startServer(node);
  }

  pause(node: ChaosNode): void {
    node.isPaused = true;
    node.server.signal('SIGSTOP');
  }

  resume(node: ChaosNode): void {
    node.server.signal('SIGCONT');
  }

  /** Waits until nodes say what `/readyz` answers. */
  async readiness(nodes: () => readonly ChaosNode[], status: 200 | 503): Promise<void> {
    await eventually(`/readyz to answer ${status}`, async () => {
      const statuses = await Promise.all(nodes().map(readinessOf));
      return statuses.every((each) => each === status) || undefined;
    });
  }

  /** Waits until nodes are ready and have answered some requests since. */
  async recovery(nodes: () => readonly ChaosNode[]): Promise<void> {
    await this.readiness(nodes, 200);
    const before = new Map(this.nodes.map(({ name }) => [name, this.balancer.answered(name)]));
    await eventually('nodes to answer requests again', async () => {
      const haveAnswered = nodes().every(
        ({ name }) => this.balancer.answered(name) >= (before.get(name) ?? 0) + ANSWERS_AFTER_FAULT,
      );
      return haveAnswered || undefined;
    });
  }

  pauseEngine(): void {
    this.#engine.kill('SIGSTOP');
  }

  resumeEngine(): void {
    this.#engine.kill('SIGCONT');
  }

  /** Ends the engine. @returns the files that it has written */
  async endEngine(): Promise<string[]> {
    const written = await readdir(this.#engine.folder);
    await this.#engine.stop();
    return written;
  }

  /** Starts an empty engine. */
  async startEngine(): Promise<void> {
    this.#engine = await startRedis([], this.#engine.port);
    this.#engines++;
    this.#monitor = this.#watch();
  }

  /** Writes everything that the engine is sent to a file. */
  #watch(): ChildProcess {
    const file = createWriteStream(join(this.#options.folder, `engine-${this.#engines}.monitor`));
    const monitor = spawn('/usr/bin/redis-cli', ['-p', String(this.#engine.port), 'monitor'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    own(monitor).stdout?.pipe(file);
    return monitor;
  }

  /** Writes the content of every key to a file. */
  async dumpEngine(): Promise<void> {
    const { Redis } = await import('ioredis');
    const client = new Redis(this.#engine.url);
    const parts: Buffer[] = [];
    for (const key of await client.keysBuffer('*'))
      parts.push(key, (await client.dumpBuffer(key)) ?? Buffer.of());
    client.disconnect();
    await writeFile(join(this.#options.folder, `engine-${this.#engines}.dump`), Buffer.concat(parts));
  }

  async #keepLog({ server }: ChaosNode): Promise<void> {
    const lines = [...server.stdout.entries, ...server.stderr.entries];
    await writeFile(join(this.#options.folder, `server-${++this.#servers}.log`), lines.join('\n'));
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) {
      await node.server.stop('SIGKILL');
      await this.#keepLog(node);
      await node.proxy.close();
    }
    await end(this.#monitor, 'SIGKILL');
    await this.balancer.close();
    await this.#engine.stop();
  }
}

async function readinessOf({ port }: ChaosNode): Promise<number> {
  return send(`http://127.0.0.1:${port}/readyz`).then(
    ({ status }) => status,
    () => 0,
  );
}
