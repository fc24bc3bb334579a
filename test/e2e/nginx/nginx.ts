import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Program } from '../../support/installed-program.js';
import { eventually } from '../../support/journal.js';

export const NGINX: Program = { path: '/usr/sbin/nginx', debianPackage: 'nginx' };
const CONFIGURATION = fileURLToPath(new URL('./nginx.conf', import.meta.url));

/** A real nginx in front of a server. */
export interface Nginx {
  /** The socket on which it listens. */
  readonly socketPath: string;
  stop(): Promise<void>;
}

/** Starts nginx. @param port of the server on 127.0.0.1 */
export async function startNginx(port: number | string): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'nginx-'));
  await copyFile(CONFIGURATION, join(folder, 'nginx.conf'));
  await writeFile(join(folder, 'upstream.conf'), `upstream mcp { server 127.0.0.1:${port}; }\n`);
  const options = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', 'daemon off; master_process off;'];
  const child = spawn(NGINX.path, options, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const closed = once(child, 'close');
  const socketPath = join(folder, 'nginx.sock');
  await eventually('nginx to listen', () => canConnect(socketPath));
  return {
    socketPath,
    async stop() {
      child.kill('SIGTERM');
      await closed;
      await rm(folder, { recursive: true });
    },
  };
}

function canConnect(path: string): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
