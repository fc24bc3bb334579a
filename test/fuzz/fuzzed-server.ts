import { z } from 'zod';
import { AskedProcess } from '../hygiene/asked-process.js';
import { type Access, FLAWS, type Tokens } from './access-tokens.js';
import { MEMBERS_PER_ERA } from './blueprint.js';
import { GUESTS } from './credentials.js';

const stateSchema = z.object({ lives: z.array(z.string()), errors: z.array(z.string()) });
/** What every session that lives has gone through, and what the server itself takes for its mistakes. */
export type ServerState = z.infer<typeof stateSchema>;

const tokensSchema = z.object({
  issuer: z.string(),
  members: z.array(z.string()),
  guests: z.array(z.string()),
  flawed: z.partialRecord(z.enum(FLAWS), z.string()),
});

/** What tokens are for: the same wherever the server is reached. */
const AUDIENCE = 'https://fuzz.example/mcp';

/** A mistake that is made on purpose, so that it can be found. */
export type PlantedFault = 'cpu' | 'memory';

export interface FuzzedServerOptions {
  /** Decides what becomes of the codes that the provider gives out. */
  readonly seed: number;
  readonly access?: Access;
}

/** Even a noisy machine wipes and revokes faster. */
const PATIENCE_MS = 30_000;

/** The server that is fuzzed, with a provider whose users have canaries; a process each. */
export class FuzzedServer {
  readonly #provider: AskedProcess;
  readonly #server: AskedProcess;
  readonly origin: string;
  /** What lets clients in; `undefined` in open access. */
  readonly tokens: Tokens | undefined;

  private constructor(
    provider: AskedProcess,
    server: AskedProcess,
    origin: string,
    tokens: Tokens | undefined,
  ) {
    this.#provider = provider;
    this.#server = server;
    this.origin = origin;
    this.tokens = tokens;
  }

  static async start({ seed, access = 'open' }: FuzzedServerOptions): Promise<FuzzedServer> {
    const provider = new AskedProcess(new URL('./provider-child.js', import.meta.url));
    const server = new AskedProcess(new URL('./server-child.js', import.meta.url));
    try {
      const issuer = await provider.ask('start', { seed }, z.string());
      const numbered = (name: string, count: number) =>
        Array.from({ length: count }, (_, at) => `${name}-${at}`);
      const users = { members: numbered('member', 2 * MEMBERS_PER_ERA), guests: numbered('guest', GUESTS) };
      const minted = await provider.ask('tokens', { ...users, audience: AUDIENCE }, tokensSchema);
      const tokens = access === 'bearer' ? minted : undefined;
      const bearer = tokens && { issuer: minted.issuer, audience: AUDIENCE };
      const origin = await server.ask('start', { issuer, bearer }, z.string());
      return new FuzzedServer(provider, server, origin, tokens);
    } catch (error) {
      await Promise.all([provider.kill(), server.kill()]);
      throw error;
    }
  }

  /** From now on, large bodies cost much, or are kept for their session. */
  plant(fault: PlantedFault): Promise<void> {
    return this.#server.ask('plant', { fault });
  }

  /** The milliseconds of CPU that it has used so far. */
  cpuMs(): Promise<number> {
    return this.#server.ask('cpuMs', undefined, z.number());
  }

  /** How much is held when garbage has been collected. */
  heldBytes(): Promise<number> {
    return this.#server.ask('heldBytes', undefined, z.number());
  }

  /** Writes what is held to a file, for the developer tools of Chromium. */
  heapSnapshot(path: string): Promise<void> {
    return this.#server.ask('heapSnapshot', { path });
  }

  /** Puts the server's clock forward. */
  passTime(durationMs: number): Promise<void> {
    return this.#server.ask('passTime', { durationMs });
  }

  /**
   * Waits, within bounds, until only so many sessions live.
   * @throws when the server has crashed
   */
  settle(expected: number, patienceMs = PATIENCE_MS): Promise<ServerState> {
    return this.#server.ask('settle', { expected, patienceMs }, stateSchema);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server.kill(), this.#provider.kill()]);
  }
}
