import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { end, own } from './child-processes.js';
import { freePort } from './free-port.js';
import type { Program } from './installed-program.js';

/** `REDIS_SERVER` is the path of another engine, such as `valkey-server`. */
export const REDIS: Program = {
  path: process.env.REDIS_SERVER ?? '/usr/bin/redis-server',
  debianPackage: 'redis-server',
};

/** A redis-server that keeps nothing on disk. */
export interface RedisServer {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** Its working directory, where it would write a dump. */
  readonly folder: string;
  /** Stops or continues its process, or ends it. */
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly stop: () => Promise<void>;
}

const SETTINGS = [
  '--save',
  '',
  '--appendonly',
  'no',
  '--repl-diskless-sync',
  'yes',
  '--repl-diskless-load',
  'swapdb',
  // A compressed dump can hide a secret from a search.
  '--rdbcompression',
  'no',
];

/** Starts a redis-server on loopback, and waits until it accepts connections. */
export async function startRedis(options: readonly string[] = [], port?: number): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'));
  const chosen = port ?? (await freePort());
  const network = [
    '--port',
    String(chosen),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--maxmemory-policy',
    'noeviction',
  ];
  const child = own(
    spawn(REDIS.path, [...network, ...SETTINGS, ...options], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  let output = '';
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (output.includes('Ready to accept connections')) break;
  }
  if (!output.includes('Ready to accept connections'))
    throw new Error(`redis-server did not start:\n${output}`);
  child.stdout.resume();
  return {
    // It has started.
    pid: child.pid as number,
    port: chosen,
    url: `redis://127.0.0.1:${chosen}`,
    folder,
    kill: (signal) => void child.kill(signal),
    async stop() {
      await end(child, 'SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
