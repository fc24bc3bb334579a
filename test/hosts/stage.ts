import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ServerProcess, startServer } from '../support/server-process.js';

const here = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));

/** One request that a server of the stage answered. */
export interface Recorded {
  readonly port: number;
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly status: number | null;
  readonly answer: string;
}

export type Access = 'open' | 'bearer';

/** The server that hosts are tested with, with its provider and API, on ports that stay the same after a restart. */
export class Stage {
  readonly folder: string;
  readonly #access: Access;
  readonly #ports: readonly number[];
  #server: ServerProcess | undefined;

  private constructor(folder: string, access: Access, ports: readonly number[]) {
    this.folder = folder;
    this.#access = access;
    this.#ports = ports;
  }

  static async start(access: Access): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'hosts-'));
    const stage = new Stage(folder, access, await freePorts(3));
    await stage.#startServer();
    return stage;
  }

  get mcp(): string {
    if (!this.#server) throw new Error('The server is not running.');
    return this.#server.addresses.mcp;
  }

  /** Restarts the server, which loses all its sessions. */
  async restart(): Promise<void> {
    await this.#server?.stop('SIGTERM');
    await this.#startServer();
  }

  /** The requests to the server and its provider, oldest first. Open streams appear when they are closed. */
  async recorded(): Promise<Recorded[]> {
    const text = await readFile(this.#record, 'utf8').catch(() => '');
    const lines = text.split('\n').filter(Boolean);
    // record-requests.mjs writes the lines.
    return lines.map((line) => JSON.parse(line) as Recorded).sort((one, other) => one.at - other.at);
  }

  /** What the server said on stderr. */
  get log(): string {
    return this.#server?.stderr.entries.join('\n') ?? '';
  }

  async stop(): Promise<void> {
    await this.#server?.stop('SIGTERM');
    await rm(this.folder, { recursive: true, force: true });
  }

  get #record(): string {
    return join(this.folder, 'requests.jsonl');
  }

  async #startServer(): Promise<void> {
    const [port, idpPort, apiPort] = this.#ports;
    this.#server = await startServer({
      nodeOptions: ['--import', here('record-requests.mjs')],
      folder: this.folder,
      environment: { NOTES_API: `http://127.0.0.1:${apiPort}`, HOSTS_RECORD: this.#record },
      flags: [
        ...['--port', `${port}`, '--idp-port', `${idpPort}`, '--api-port', `${apiPort}`],
        ...['--access', this.#access, '--tools', here('tools.mjs')],
      ],
    });
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  // A server that listens on a port has such an address.
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) server.close();
  return ports;
}

/** Writes files below a folder; those whose name has no dot can be run. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    if (content.startsWith('#!')) await chmod(path, 0o755);
  }
}
