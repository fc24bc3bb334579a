import { z } from 'zod';
import { LoadClient } from '../../test/soak/load-client.js';
import { WorkerProcess } from '../../test/support/worker-process.js';
import { type BenchOptions, isSelected } from '../options.js';
import { pin } from '../processors.js';
import type { Progress } from '../report/progress.js';
import { PRODUCTS } from '../servers/kinds.js';
import { CLIENT_PROCESSOR, RunningServer } from '../servers/running-server.js';

/** The logins of one round. */
const LOGINS = 100;

export function hasLogins(options: BenchOptions): boolean {
  return isSelected(options, 'login-mcp-sessions');
}

/**
 * The CPU time of the server for a new connection and its login, in milliseconds, in each round: the `login` call, the
 * pages of the browser, and the requests to a provider that is a stub.
 */
export async function measureLogins(options: BenchOptions, progress: Progress): Promise<number[]> {
  const provider = new WorkerProcess(new URL('../refresh/provider-child.js', import.meta.url));
  pin(provider.pid, CLIENT_PROCESSOR);
  try {
    const issuer = await provider.ask('start', undefined, z.string());
    const sessions = LOGINS * (options.rounds + 1);
    const server = await RunningServer.start(PRODUCTS['2025'], { sessions, issuer, flags: options.flags });
    const client = new LoadClient(server.url);
    const rounds: number[] = [];
    for (let round = 0; round <= options.rounds; round++) {
      progress.step('logins', PRODUCTS['2025'].name);
      const startedMicros = await server.cpuMicros();
      await client.add(LOGINS);
      rounds.push(((await server.cpuMicros()) - startedMicros) / 1000 / LOGINS);
    }
    client.close();
    await server.stop();
    // Until everything is compiled.
    return rounds.slice(1);
  } finally {
    await provider.kill();
  }
}
