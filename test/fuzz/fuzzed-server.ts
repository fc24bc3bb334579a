import { z } from 'zod';
import { AskedProcess } from '../hygiene/asked-process.js';

const stateSchema = z.object({ lives: z.array(z.string()), errors: z.array(z.string()) });
/** What every session that lives has gone through, and what the server itself takes for its mistakes. */
export type ServerState = z.infer<typeof stateSchema>;

/** How long a started login can be finished: what is given up on has to be gone at the end. */
const LOGIN_ATTEMPT_MS = 5000;

/** The server that is fuzzed, with a provider whose users have canaries; a process each. */
export class FuzzedServer {
  readonly #provider: AskedProcess;
  readonly #server: AskedProcess;
  readonly origin: string;

  private constructor(provider: AskedProcess, server: AskedProcess, origin: string) {
    this.#provider = provider;
    this.#server = server;
    this.origin = origin;
  }

  static async start(): Promise<FuzzedServer> {
    const provider = new AskedProcess(new URL('./provider-child.js', import.meta.url));
    const server = new AskedProcess(new URL('./server-child.js', import.meta.url));
    try {
      const issuer = await provider.ask('start', undefined, z.string());
      const origin = await server.ask('start', { issuer, loginAttemptMs: LOGIN_ATTEMPT_MS }, z.string());
      return new FuzzedServer(provider, server, origin);
    } catch (error) {
      await Promise.all([provider.kill(), server.kill()]);
      throw error;
    }
  }

  /** How much is held when garbage has been collected. */
  heldBytes(): Promise<number> {
    return this.#server.ask('heldBytes', undefined, z.number());
  }

  /**
   * Waits until only so many sessions live, or logins that were given up on should be long gone.
   * @throws when the server has crashed
   */
  settle(expected: number): Promise<ServerState> {
    return this.#server.ask('settle', { expected, patienceMs: 3 * LOGIN_ATTEMPT_MS }, stateSchema);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server.kill(), this.#provider.kill()]);
  }
}
