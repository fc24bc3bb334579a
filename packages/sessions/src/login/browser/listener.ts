import type { RequestListener } from 'node:http';
import { type ListeningServer, listen } from '../../http/listen.js';

const HOST = '127.0.0.1';

/** Serves the login pages on a free port of the loopback interface, from the first login on. */
export class LoginListener {
  readonly #listener: RequestListener;
  #opening: Promise<ListeningServer> | undefined;

  constructor(listener: RequestListener) {
    this.#listener = listener;
  }

  /** Starts to listen, once. @returns the base URL of the pages */
  async open(): Promise<URL> {
    this.#opening ??= listen(this.#listener, { port: 0, host: HOST });
    try {
      const { port } = await this.#opening;
      return new URL(`http://${HOST}:${port}`);
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  /** Stops to accept connections. */
  stop(): void {
    void this.#opening?.then((server) => server.stop(), ignore);
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const server = await this.#opening?.catch(ignore);
    await server?.close();
  }
}

/** `open` has reported the error. */
function ignore(): undefined {
  return undefined;
}
