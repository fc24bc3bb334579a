import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { end, own } from '../../support/child-processes.js';
import type { Program } from '../../support/installed-program.js';
import { eventually } from '../../support/journal.js';
import { NGINX } from '../nginx/nginx.js';

export const HAPROXY: Program = { path: '/usr/sbin/haproxy', debianPackage: 'haproxy' };
const EXAMPLES = new URL('../../../examples/cluster/', import.meta.url);

/** A load balancer of examples/cluster in front of three servers. */
export interface BalancerProgram {
  readonly url: string;
  /** What HAProxy answers to a command of its runtime API. */
  readonly ask: (command: string) => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** The ports of the examples, and those of the test in their place. */
export interface BalancerPorts {
  readonly front: number;
  readonly servers: readonly [number, number, number];
}

/** The file of examples/cluster, with the ports of the test. */
async function nginxExample(name: string, { front, servers }: BalancerPorts): Promise<string> {
  const example = await readFile(new URL(name, EXAMPLES), 'utf8');
  return [8080, 3001, 3002, 3003].reduce(
    (file, port, at) => file.replace(new RegExp(`\\b${port}\\b`, 'g'), String([front, ...servers][at])),
    example,
  );
}

/** The file is in the context `http`, as in /etc/nginx/conf.d. Only paths are the test's. */
const NGINX_CONF = `
pid nginx.pid;
error_log stderr crit;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include mcp.conf;
}
`;
/** The socket of its runtime API, relative to the folder. */
const HAPROXY_CFG = 'global\n  stats socket unix@runtime.sock\n';

interface Started {
  readonly program: Program;
  readonly options: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly front: number;
}

/** Starts nginx with a file of examples/cluster. */
export async function startNginxExample(name: string, ports: BalancerPorts): Promise<BalancerProgram> {
  const files = { 'nginx.conf': NGINX_CONF, 'mcp.conf': await nginxExample(name, ports) };
  const options = ['-p', '.', '-c', 'nginx.conf', '-g', 'daemon off; master_process off;'];
  return start({ program: NGINX, options, files, front: ports.front });
}

/** Starts HAProxy with a file of examples/cluster. The servers have been started. */
export async function startHaproxyExample(name: string, ports: BalancerPorts): Promise<BalancerProgram> {
  const { front, servers } = ports;
  const files = { 'test.cfg': HAPROXY_CFG };
  const options = ['-db', '-f', 'test.cfg', '-f', fileURLToPath(new URL(name, EXAMPLES))];
  const [first, second, third] = servers.map((port) => `127.0.0.1:${port}`);
  const environment = {
    MCP_BIND: `127.0.0.1:${front}`,
    MCP_SERVER_1: first,
    MCP_SERVER_2: second,
    MCP_SERVER_3: third,
  };
  return start({ program: HAPROXY, options, files, environment, front });
}

async function start({
  program,
  options,
  files,
  environment = {},
  front,
}: Started): Promise<BalancerProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'balancer-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const child = own(
    spawn(program.path, options, { cwd: folder, env: environment, stdio: ['ignore', 'ignore', 'pipe'] }),
  );
  const complaints = text(child.stderr);
  await eventually(`${program.debianPackage} to listen`, async () => {
    if (child.exitCode !== null) throw new Error(`${program.path} ended: ${await complaints}`);
    return canConnect(front);
  });
  return {
    url: `http://127.0.0.1:${front}`,
    async ask(command) {
      const socket = connect(join(folder, 'runtime.sock'));
      await once(socket, 'connect');
      socket.end(`${command}\n`);
      return text(socket);
    },
    async stop() {
      await end(child, 'SIGTERM');
      await rm(folder, { recursive: true });
    },
  };
}

function canConnect(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
