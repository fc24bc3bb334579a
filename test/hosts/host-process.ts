import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';
import { end, own } from '../support/child-processes.js';
import type { Launch, Setup } from './host.js';

/** A host that runs. */
export interface HostProcess {
  /** All that it has printed. */
  readonly output: () => string;
  /** Resolves to its exit code. */
  readonly ended: Promise<number | null>;
  stop(): Promise<void>;
}

/** A port at which nothing listens. */
const NOWHERE = 'http://127.0.0.1:9';

/**
 * Starts a host in a `HOME` of its own. What it would ask of the network is refused at once, and the browser that
 * it finds is the stage's.
 */
export function startHost(launch: Launch, { home, node }: Setup): HostProcess {
  const bin = join(home, 'bin');
  const child: ChildProcess = own(
    spawn(launch.command, [...launch.args], {
      cwd: join(home, 'work'),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: [bin, join(node, '..'), process.env.PATH].join(delimiter),
        HOME: home,
        TMPDIR: join(home, 'tmp'),
        BROWSER: join(bin, 'xdg-open'),
        // Some hosts open no browser where they see no screen.
        DISPLAY: ':99',
        HTTPS_PROXY: NOWHERE,
        HTTP_PROXY: NOWHERE,
        NO_PROXY: '127.0.0.1,localhost',
        NO_COLOR: '1',
        TERM: 'dumb',
        CI: '',
        ...launch.env,
      },
    }),
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return {
    output: () => output,
    ended: once(child, 'close').then(() => child.exitCode),
    stop: async () => {
      await end(child, 'SIGTERM');
    },
  };
}
