import { SessionError } from '../errors.js';
import { MAX_TIMER_MS } from '../time/clock.js';

/** What clients or browsers reach a server through: a port, or stdin and stdout. */
export interface Listener {
  /** Accepts nothing new from now on. */
  stop(): void;
  /** Closes what is open. */
  close(): Promise<void>;
}

/** The transport that a server has chosen, HTTP or stdio, and its listeners. */
export class Lifecycle {
  readonly #listeners: Listener[] = [];
  #transport: 'HTTP' | 'stdio' | undefined;
  #isStopped = false;

  /** @throws SessionError `configuration` */
  overHttp(): void {
    if (this.#transport === 'stdio') {
      throw new SessionError('configuration', 'This object serves stdio. Create another one for HTTP.');
    }
    this.#transport = 'HTTP';
  }

  /** @throws SessionError `configuration` */
  overStdio(): void {
    if (this.#transport !== undefined) {
      throw new SessionError(
        'configuration',
        `This object serves ${this.#transport} already. Create another one for stdio.`,
      );
    }
    this.#transport = 'stdio';
  }

  /**
   * Adds listeners. If the server has been stopped meanwhile, closes them at once.
   * @throws SessionError `configuration` if the server has been stopped
   */
  async through(...listeners: readonly Listener[]): Promise<void> {
    this.#listeners.push(...listeners);
    if (!this.#isStopped) return;
    for (const listener of listeners) listener.stop();
    await Promise.all(listeners.map((listener) => listener.close()));
    throw new SessionError('configuration', 'This object has been closed. Create another one.');
  }

  stop(): void {
    this.#isStopped = true;
    for (const listener of this.#listeners) listener.stop();
  }

  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }
}

const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Keeps this process alive, and replaces the default action of the signals that end it.
 * @param onSignal called for every such signal; clients and package runners may send several
 * @returns a function that undoes both
 */
export function holdProcess(onSignal: () => void): () => void {
  const timer = setInterval(() => undefined, MAX_TIMER_MS);
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  return () => {
    clearInterval(timer);
    for (const signal of END_SIGNALS) process.off(signal, onSignal);
  };
}
