import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Ending, end, own } from '../support/child-processes.js';
import { Journal } from '../support/journal.js';
import type { ToolAnswer } from '../support/raw-mcp.js';

/** The built program. */
export const MAIN = fileURLToPath(new URL('../../packages/server/dist/main.js', import.meta.url));

export interface StdioOptions {
  /** The arguments of `node`. Default: the program, over stdio, with the audit log. */
  readonly command?: readonly string[];
  readonly flags?: readonly string[];
  /** The environment besides `PATH`. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The capabilities of a 2026 client. Default: a 2025 client without capabilities. */
  readonly modernCapabilities?: Readonly<Record<string, unknown>>;
}

const resultSchema = z.looseObject({
  isError: z.boolean().default(false),
  content: z.array(z.looseObject({ text: z.string().default('') })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).default({}),
});

/** The result of a tool. */
export function toolAnswerOf(result: unknown): ToolAnswer {
  const { isError, content, structuredContent: structured } = resultSchema.parse(result);
  return { isError, text: content.map(({ text }) => text).join('\n'), structured };
}

/** A server over stdio, with a hand-written client, so that a test controls every byte. */
export interface StdioProcess {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** The lines on stdout. */
  readonly lines: Journal<string>;
  readonly stderr: Journal<string>;
  readonly ended: Promise<Ending>;
  send(message: Record<string, unknown>): void;
  call(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>;
  stop(signal?: NodeJS.Signals): Promise<Ending>;
}

/** Starts a server and initializes the connection. */
export async function startStdio({
  command = [MAIN, '--stdio', '--log-level', 'debug'],
  flags = [],
  environment = {},
  modernCapabilities,
}: StdioOptions = {}): Promise<StdioProcess> {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = own(
    spawn(process.execPath, [...command, ...flags], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, ...environment },
    }),
  );
  // Input of a process that has ended is lost, as expected.
  child.stdin.on('error', () => undefined);
  const lines = new Journal<string>();
  const stderr = new Journal<string>();
  createInterface(child.stdout).on('line', (line) => lines.add(line));
  createInterface(child.stderr).on('line', (line) => stderr.add(line));
  const ended = once(child, 'exit').then(() => ({ code: child.exitCode, signal: child.signalCode }));
  const send = (message: Record<string, unknown>) =>
    void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

  let lastId = 0;
  const clientInfo = { name: 'by hand', version: '1.0.0' };
  const envelope = modernCapabilities && {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': clientInfo,
      'io.modelcontextprotocol/clientCapabilities': modernCapabilities,
    },
  };
  const request = async (method: string, params: Record<string, unknown>) => {
    lastId += 1;
    const id = lastId;
    send({ id, method, params: { ...params, ...envelope } });
    const line = await lines.first(`the answer to ${method}`, (each) => JSON.parse(each).id === id);
    return JSON.parse(line);
  };
  if (!envelope) {
    await request('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
    send({ method: 'notifications/initialized' });
  }

  return {
    pid: child.pid ?? 0,
    stdin: child.stdin,
    stdout: child.stdout,
    lines,
    stderr,
    ended,
    send,
    async call(tool, args = {}) {
      const { result } = await request('tools/call', { name: tool, arguments: args });
      return toolAnswerOf(result);
    },
    stop: (signal = 'SIGKILL') => end(child, signal),
  };
}

const LISTEN_STATE = '0A';

/** The addresses that a process listens on, from `/proc`: hexadecimal, in the byte order of the machine. */
export async function listeningAddresses(pid: number): Promise<string[]> {
  const inodes = await socketInodesOf(pid);
  const tables = await Promise.all(['tcp', 'tcp6'].map((table) => readFile(`/proc/net/${table}`, 'utf8')));
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((row) => row.trim().split(/\s+/))
    .filter((row) => row[3] === LISTEN_STATE && inodes.has(row[9] ?? ''))
    .map((row) => row[1] ?? '');
}

async function socketInodesOf(pid: number): Promise<Set<string>> {
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? '').filter(Boolean));
}

/** Whether a process is running. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
