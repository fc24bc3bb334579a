import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Ending, end, own } from '../support/child-processes.js';
import { freePort } from '../support/free-port.js';
import { Journal } from '../support/journal.js';

const root = new URL('../../', import.meta.url);
const BUILT = new URL('test/examples/dist/', root);

/** A program from examples/, in its own process. */
export interface ExampleProcess {
  readonly origin: string;
  readonly mcp: string;
  readonly stderr: Journal<string>;
  /** Sends SIGTERM and waits for the exit. */
  stop(): Promise<Ending>;
  /** Sends SIGKILL and waits for the exit. */
  kill(): Promise<Ending>;
}

/** Compiles the programs in examples/, as a user of the built library does. */
export function compileExamples(): void {
  const tsc = fileURLToPath(new URL('node_modules/.bin/tsc', root));
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
  const folders = ['--rootDir', 'examples', '--outDir', fileURLToPath(BUILT)];
  const programs = ['node-http', 'express', 'fastify', 'hono', 'stdio'].map((name) => `examples/${name}.ts`);
  execFileSync(tsc, [...options, ...folders, '--ignoreConfig', ...programs], {
    cwd: root,
    encoding: 'utf8',
  });
}

/** The path of a compiled example. */
export function pathOf(name: string): string {
  return fileURLToPath(new URL(`${name}.js`, BUILT));
}

/** Starts a compiled example on a free port. */
export async function startExample(
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<ExampleProcess> {
  // The public URL of an example contains its port.
  const port = await freePort();
  const child = own(
    spawn(process.execPath, [pathOf(name)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, ...environment, PORT: String(port) },
    }),
  );
  const stderr = new Journal<string>();
  createInterface(child.stderr).on('line', (line) => stderr.add(line));
  const closed = once(child, 'close');
  await Promise.race([
    once(createInterface(child.stdout), 'line'),
    closed.then(() => Promise.reject(new Error(`${name} ended: ${stderr.entries.join('\n')}`))),
  ]);
  const origin = `http://127.0.0.1:${port}`;
  return {
    origin,
    mcp: `${origin}/mcp`,
    stderr,
    async stop() {
      const ending = await end(child, 'SIGTERM');
      await closed;
      return ending;
    },
    kill: () => end(child, 'SIGKILL'),
  };
}
