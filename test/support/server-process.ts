import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Ending, end, own } from './child-processes.js';
import { Journal } from './journal.js';

const MAIN = fileURLToPath(import.meta.resolve('mcp-sessions-server/dist/main.js'));

/** All ports are free ones, so that servers can run at the same time. */
export const FREE_PORTS: readonly string[] = ['--port', '0', '--idp-port', '0', '--api-port', '0'];

export interface ServerOptions {
  /** The command line. */
  readonly flags?: readonly string[];
  /** The options of Node. */
  readonly nodeOptions?: readonly string[];
  /** The working directory. Default: that of the test. */
  readonly folder?: string;
  /** The environment besides `PATH`. */
  readonly environment?: Readonly<Record<string, string>>;
}

const addressesSchema = z.object({
  mcp: z.string(),
  identityProvider: z.string(),
  api: z.string().nullable(),
  metrics: z.string().optional(),
});
/** What the server prints on stdout with `--json`. */
type Addresses = z.infer<typeof addressesSchema>;

const auditSchema = z.looseObject({
  event: z.string(),
  session: z.string().optional(),
  logId: z.string().optional(),
  reason: z.string().optional(),
  revocation: z.string().optional(),
  generation: z.number().optional(),
});
/** A line of the audit log. */
export type AuditEntry = z.infer<typeof auditSchema>;

/** The built server in its own process, as an operator starts it. */
export interface LaunchedServer {
  readonly stdout: Journal<string>;
  readonly stderr: Journal<string>;
  /** The audit log; empty unless the server is started with `--log-level info`. */
  readonly audit: Journal<AuditEntry>;
  /** Resolves when the process has ended and its output has been read. */
  readonly ended: Promise<Ending>;
  /** Sends a signal that does not end it. */
  signal(name: NodeJS.Signals): void;
  /** Sends SIGINT, as Ctrl-C does, and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Ending>;
}

/** A server that is ready. */
export interface ServerProcess extends LaunchedServer {
  readonly addresses: Addresses;
}

/** Starts the server without waiting. */
export function launchServer({
  flags = [],
  nodeOptions = [],
  folder = process.cwd(),
  environment = {},
}: ServerOptions = {}): LaunchedServer {
  const child: ChildProcessByStdio<null, Readable, Readable> = own(
    spawn(process.execPath, [...nodeOptions, MAIN, ...flags], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, ...environment },
    }),
  );
  const stdout = new Journal<string>();
  const stderr = new Journal<string>();
  const audit = new Journal<AuditEntry>();
  createInterface(child.stdout).on('line', (line) => stdout.add(line));
  createInterface(child.stderr).on('line', (line) => {
    stderr.add(line);
    const entry = auditSchema.safeParse(line.startsWith('{') ? JSON.parse(line) : undefined);
    if (entry.success) audit.add(entry.data);
  });
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, signal: child.signalCode }));
  const stop = async (signal: NodeJS.Signals = 'SIGINT') => {
    await end(child, signal);
    return ended;
  };
  const signal = (name: NodeJS.Signals) => void child.kill(name);
  return { stdout, stderr, audit, ended, signal, stop };
}

/** Starts the server with `--json` and the audit log, and waits until it is ready. */
export async function startServer({ flags = [], ...options }: ServerOptions = {}): Promise<ServerProcess> {
  const server = launchServer({ ...options, flags: ['--json', '--log-level', 'info', ...flags] });
  const line = await Promise.race([
    server.stdout.first('the line of addresses', () => true),
    server.ended.then(({ code }) => {
      throw new Error(`The server ended with code ${code}: ${server.stderr.entries.join('\n')}`);
    }),
  ]);
  return { ...server, addresses: addressesSchema.parse(JSON.parse(line)) };
}

/** Runs a server that ends by itself. */
export async function runServer(
  options?: ServerOptions,
): Promise<Ending & { stdout: string[]; stderr: string[] }> {
  const server = launchServer(options);
  const ending = await server.ended;
  return { ...ending, stdout: [...server.stdout.entries], stderr: [...server.stderr.entries] };
}
