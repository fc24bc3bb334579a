import { z } from 'zod';
import { WorkerProcess } from '../support/worker-process.js';
import { type Access, FLAWS, type Tokens } from './access-tokens.js';
import { MEMBERS_PER_ERA } from './blueprint.js';
import { GUESTS } from './credentials.js';

const stateSchema = z.object({ lives: z.array(z.string()), errors: z.array(z.string()) });
/** The events of all sessions, and the errors that the server logged. */
export type ServerState = z.infer<typeof stateSchema>;

const tokensSchema = z.object({
  issuer: z.string(),
  members: z.array(z.string()),
  guests: z.array(z.string()),
  flawed: z.partialRecord(z.enum(FLAWS), z.string()),
});

/** The audience of access tokens, independent of the server's port. */
const AUDIENCE = 'https://fuzz.example/mcp';

/** A planted fault. */
export type PlantedFault = 'cpu' | 'memory';

export interface FuzzedServerOptions {
  /** Determines the responses for device codes. */
  readonly seed: number;
  readonly access?: Access;
}

/** Wiping and revoking takes less, even on a busy machine. */
const SETTLE_TIMEOUT_MS = 30_000;

/** The fuzzed server and its provider, each in a process of its own. Its users have canaries. */
export class FuzzedServer {
  readonly #provider: WorkerProcess;
  readonly #server: WorkerProcess;
  readonly origin: string;
  /** The access tokens of clients; `undefined` in open access. */
  readonly tokens: Tokens | undefined;

  private constructor(
    provider: WorkerProcess,
    server: WorkerProcess,
    origin: string,
    tokens: Tokens | undefined,
  ) {
    this.#provider = provider;
    this.#server = server;
    this.origin = origin;
    this.tokens = tokens;
  }

  static async start({ seed, access = 'open' }: FuzzedServerOptions): Promise<FuzzedServer> {
    const provider = new WorkerProcess(new URL('./provider-child.js', import.meta.url));
    const server = new WorkerProcess(new URL('./server-child.js', import.meta.url));
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

  /** Plants a fault: from now on, large bodies use much CPU time or are kept. */
  plant(fault: PlantedFault): Promise<void> {
    return this.#server.ask('plant', { fault });
  }

  /** Its CPU time so far, in milliseconds. */
  cpuMs(): Promise<number> {
    return this.#server.ask('cpuMs', undefined, z.number());
  }

  /** Its memory after a garbage collection, in bytes. */
  heldBytes(): Promise<number> {
    return this.#server.ask('heldBytes', undefined, z.number());
  }

  /** Writes a heap snapshot to a file, for the developer tools of Chromium. */
  heapSnapshot(path: string): Promise<void> {
    return this.#server.ask('heapSnapshot', { path });
  }

  /** Advances the server's clock. */
  passTime(durationMs: number): Promise<void> {
    return this.#server.ask('passTime', { durationMs });
  }

  /**
   * Waits until only this number of sessions is left, or the time limit passes.
   * @throws Error if the server crashed
   */
  settle(expected: number, timeoutMs = SETTLE_TIMEOUT_MS): Promise<ServerState> {
    return this.#server.ask('settle', { expected, timeoutMs }, stateSchema);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server.kill(), this.#provider.kill()]);
  }
}
