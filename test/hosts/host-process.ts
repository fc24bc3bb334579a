import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';
import { end, own } from '../support/child-processes.js';
import type { Launch, Setup } from './host.js';

/** A host that runs. */
export interface HostProcess {
  /** All that it has printed, without the control sequences of a terminal. */
  output(): string;
  /** The part of it on stdout. */
  printed(): string;
  /** The part of it on stderr. */
  errors(): string;
  /** Resolves to its exit code. */
  readonly ended: Promise<number | null>;
  stop(): Promise<void>;
  /** Whether it was stopped before its own end. */
  isStopped(): boolean;
}

/** A port at which nothing listens. */
const NOWHERE = 'http://127.0.0.1:9';

/**
 * Starts a host in a separate `HOME`. Its requests to the network are refused at once, and the browser that it finds is
 * that of the test.
 */
export function startHost(launch: Launch, { home, node }: Pick<Setup, 'home' | 'node'>): HostProcess {
  const { command, args } = launch.typed ? inTerminal(launch) : launch;
  const child: ChildProcess = own(
    spawn(command, [...args], {
      cwd: join(home, 'work'),
      stdio: [launch.typed ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      env: {
        ...environmentOf({ home, node }),
        ...(launch.typed && { TERM: 'xterm-256color' }),
        ...launch.env,
      },
    }),
  );
  let isStopped = false;
  const output = { all: '', stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      output[name] += chunk.toString();
      output.all += chunk.toString();
    });
  }
  if (launch.typed) type(child, launch.typed);
  return {
    output: () => plainText(output.all),
    printed: () => output.stdout,
    errors: () => output.stderr,
    ended: once(child, 'close').then(() => child.exitCode),
    stop: async () => {
      isStopped ||= child.exitCode === null && child.signalCode === null;
      await end(child, 'SIGTERM');
    },
    isStopped: () => isStopped,
  };
}

/** The environment of a host: of this process, only the `PATH`. */
export function environmentOf({ home, node }: Pick<Setup, 'home' | 'node'>): Record<string, string> {
  const bin = join(home, 'bin');
  return {
    PATH: [bin, join(node, '..'), process.env.PATH].join(delimiter),
    HOME: home,
    TMPDIR: join(home, 'tmp'),
    BROWSER: join(bin, 'xdg-open'),
    // Some hosts open a browser only with a display.
    DISPLAY: ':99',
    HTTPS_PROXY: NOWHERE,
    HTTP_PROXY: NOWHERE,
    NO_PROXY: '127.0.0.1,localhost',
    NO_COLOR: '1',
    TERM: 'dumb',
  };
}

/** The same command line in a separate terminal. */
function inTerminal({ command, args }: Launch): Launch {
  const line = [command, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const sized = `stty cols 160 rows 50; exec ${line}`;
  return { command: 'script', args: ['--quiet', '--return', '--command', sized, '/dev/null'] };
}

/** Hosts treat faster input as pasted text, and accept commands some seconds after the start. */
const TYPING_PAUSE_MS = 4000;

/** Types each text after the host has shown the text before it. */
function type(child: ChildProcess, typed: NonNullable<Launch['typed']>): void {
  const waiting = [...typed];
  let shown = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    const [next] = waiting;
    if (!next || !plainText(shown).includes(next.after)) return;
    shown = '';
    waiting.shift();
    setTimeout(() => child.stdin?.write(next.text), TYPING_PAUSE_MS);
  });
}

function plainText(output: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what such sequences begin with.
  return output.replace(/\u001b(\[[0-9;?<>=]*[a-zA-Z]|\].*?(\u0007|\u001b\\))/g, '');
}

const SIGN_IN_TIMEOUT_MS = 60_000;

/** Waits for a process that should end with code 0. */
export async function runToEnd(running: HostProcess): Promise<void> {
  const timeout = setTimeout(() => void running.stop(), SIGN_IN_TIMEOUT_MS);
  const code = await running.ended;
  clearTimeout(timeout);
  if (running.isStopped()) throw new Error(`its sign-in does not end: ${lastWords(running)}`);
  if (code !== 0) throw new Error(`its sign-in ends with code ${code}: ${lastWords(running)}`);
}

const LAST = 300;

/** The end of what a process printed, on one line. */
export function lastWords(running: HostProcess): string {
  return running.output().replace(/\s+/g, ' ').trim().slice(-LAST);
}
