import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { end, own } from './child-processes.js';

const CHILD = fileURLToPath(new URL('./client-child.mjs', import.meta.url));

const structuredSchema = z.record(z.string(), z.unknown());

/** A real 2025 client in its own process, with its standalone stream. */
export interface ClientProcess {
  /** Calls a tool without arguments. @returns the structured result */
  call(tool: string): Promise<Record<string, unknown>>;
  /** Ends the process with SIGKILL, so that the client sends nothing. */
  kill(): Promise<void>;
}

export async function startClientProcess(mcp: string): Promise<ClientProcess> {
  const child = own(fork(CHILD, { execArgv: [], env: { PATH: process.env.PATH } }));
  const ask = async (message: string) => {
    const answer = Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`The client ended with code ${code}.`);
      }),
    ]);
    child.send(message);
    return structuredSchema.parse((await answer)[0]);
  };
  await ask(mcp);
  return {
    call: ask,
    async kill() {
      await end(child, 'SIGKILL');
    },
  };
}
