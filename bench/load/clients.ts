import { WorkerProcess } from '../../test/support/worker-process.js';
import { pin, prioritize } from '../processors.js';
import { CLIENT_PROCESSOR, PRIORITY } from '../servers/running-server.js';
import type { Era } from './echo-requests.js';
import { type CallFigures, type CreateFigures, callFiguresSchema, createFiguresSchema } from './figures.js';

export interface Target {
  readonly url: string;
  readonly era: Era;
  readonly tool: string;
}

/** Several servers with the same sessions. */
export interface SharedTarget extends Omit<Target, 'url'> {
  readonly urls: readonly string[];
}

export interface Load {
  readonly seconds: number;
  readonly connections: number;
}

/** The process of the clients. */
export class Clients {
  readonly #process = new WorkerProcess(new URL('./load-child.js', import.meta.url));

  constructor() {
    pin(this.#process.pid, CLIENT_PROCESSOR);
    prioritize(this.#process.pid, PRIORITY);
  }

  /** Opens sessions of the 2025 revisions. */
  open(url: string, count: number): Promise<void> {
    return this.#process.ask('open', { url, count });
  }

  /** Notes the ids of sessions that a server has. */
  know(url: string, ids: readonly string[]): Promise<void> {
    return this.#process.ask('know', { url, ids });
  }

  /** @throws Error if an answer is wrong */
  async call(target: Target, load: Load): Promise<CallFigures> {
    const figures = await this.#process.ask('call', { ...target, ...load }, callFiguresSchema);
    if (figures.firstFailure !== undefined)
      throw new Error(`${target.tool} at ${target.url}: ${figures.firstFailure}`);
    return figures;
  }

  /** Calls several servers with the same sessions at the same time, each through its part of the connections. */
  async callAll({ urls, ...target }: SharedTarget, load: Load): Promise<CallFigures> {
    const figures = await this.#process.ask('callAll', { ...target, urls, ...load }, callFiguresSchema);
    if (figures.firstFailure !== undefined)
      throw new Error(`${target.tool} at ${urls.join(', ')}: ${figures.firstFailure}`);
    return figures;
  }

  /** Opens sessions and calls once in each. @throws Error if an answer is wrong */
  create(url: string, load: Load): Promise<CreateFigures> {
    return this.#process.ask('create', { url, ...load }, createFiguresSchema);
  }

  closeCreated(url: string): Promise<void> {
    return this.#process.ask('closeCreated', url);
  }

  /** Opens the event streams of a server's first sessions. */
  stream(url: string, count: number): Promise<void> {
    return this.#process.ask('stream', { url, count });
  }

  closeStreams(): Promise<void> {
    return this.#process.ask('closeStreams');
  }

  stop(): Promise<void> {
    return this.#process.kill();
  }
}
