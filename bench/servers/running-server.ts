import { z } from 'zod';
import { WorkerProcess } from '../../test/support/worker-process.js';
import { pin, prioritize } from '../processors.js';
import type { ServerKind } from './kinds.js';
import type { Footprint } from './serve.js';

/** The processor of the server that is measured. The clients run on the other one. */
export const SERVER_PROCESSOR = 0;
export const CLIENT_PROCESSOR = 1;
/** So that other programs of the machine disturb less. */
export const PRIORITY = -10;

/** The number of sessions that a server logs in at a time. */
const BATCH = 10_000;

const footprintSchema = z.object({ rss: z.number(), heap: z.number() });

export interface StartOptions {
  /** The number of sessions that it will have. */
  readonly sessions: number;
  /** The tools of the library's server. Default: `echo` */
  readonly tools?: readonly string[];
  readonly issuer?: string;
  /** What dispatches the calls of the library's server. Default: `direct` */
  readonly dispatch?: 'direct' | 'sdk';
  /** The engine that the library's server shares with others, and its master key. */
  readonly cluster?: { readonly url: string; readonly key: string };
  /** Additional flags for Node. */
  readonly flags?: readonly string[];
}

/** A server in a process of its own, on its own processor. */
export class RunningServer {
  readonly #process: WorkerProcess;
  readonly url: string;

  private constructor(process: WorkerProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  static async start({ module, isOwn, argument }: ServerKind, options: StartOptions): Promise<RunningServer> {
    const { flags = [], ...own } = options;
    const process = new WorkerProcess(module, flags);
    try {
      pin(process.pid, SERVER_PROCESSOR);
      prioritize(process.pid, PRIORITY);
      return new RunningServer(process, await process.ask('start', isOwn ? own : argument, z.string()));
    } catch (error) {
      await process.kill();
      throw error;
    }
  }

  /** The CPU time so far, in microseconds. */
  cpuMicros(): Promise<number> {
    return this.#process.ask('cpuMicros', undefined, z.number());
  }

  footprint(): Promise<Footprint> {
    return this.#process.ask('footprint', undefined, footprintSchema);
  }

  /** Logs the connections of the library's server in. */
  logInConnections(): Promise<void> {
    return this.#process.ask('logInConnections');
  }

  /**
   * Adds sessions of the 2026 revision to the library's server.
   * @param each called with the handles of each batch
   */
  async addHandles(count: number, each: (handles: string[]) => Promise<void>): Promise<void> {
    for (let left = count; left > 0; left -= BATCH) {
      await each(await this.#process.ask('addHandles', Math.min(left, BATCH), z.array(z.string())));
    }
  }

  /** Asks the library's server a question of its own. */
  ask<Answer>(question: string, argument: unknown, schema: z.ZodType<Answer>): Promise<Answer> {
    return this.#process.ask(question, argument, schema);
  }

  stop(): Promise<void> {
    return this.#process.kill();
  }
}
