import { z } from 'zod';
import { AskedProcess } from '../hygiene/asked-process.js';

const stateSchema = z.object({ lives: z.array(z.string()), errors: z.array(z.string()) });
/** What every session that lives has gone through, and what the server itself takes for its mistakes. */
export type ServerState = z.infer<typeof stateSchema>;

/** Even a noisy machine wipes and revokes faster. */
const PATIENCE_MS = 30_000;

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

  /** @param seed decides what becomes of the codes that the provider gives out */
  static async start(seed: number): Promise<FuzzedServer> {
    const provider = new AskedProcess(new URL('./provider-child.js', import.meta.url));
    const server = new AskedProcess(new URL('./server-child.js', import.meta.url));
    try {
      const issuer = await provider.ask('start', { seed }, z.string());
      const origin = await server.ask('start', { issuer }, z.string());
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

  /** Puts the server's clock forward. */
  passTime(durationMs: number): Promise<void> {
    return this.#server.ask('passTime', { durationMs });
  }

  /**
   * Waits, within bounds, until only so many sessions live.
   * @throws when the server has crashed
   */
  settle(expected: number): Promise<ServerState> {
    return this.#server.ask('settle', { expected, patienceMs: PATIENCE_MS }, stateSchema);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server.kill(), this.#provider.kill()]);
  }
}
