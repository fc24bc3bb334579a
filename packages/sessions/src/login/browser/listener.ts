import type { RequestListener } from 'node:http';
import { SessionError } from '../../errors.js';
import { type ListeningServer, listen } from '../../http/listen.js';

const IPV4 = '127.0.0.1';
const IPV6 = '::1';

/** The address of the login pages. */
export interface LoginAddress {
  /** Default: any free port. */
  readonly port?: number | undefined;
  /** Default: 127.0.0.1. */
  readonly host?: '127.0.0.1' | 'localhost' | undefined;
}

/** Serves the login pages on the loopback interface, from the first login on. */
export class LoginListener {
  readonly #listener: RequestListener;
  readonly #address: LoginAddress;
  #opening: Promise<readonly ListeningServer[]> | undefined;

  constructor(listener: RequestListener, address: LoginAddress = {}) {
    this.#listener = listener;
    this.#address = address;
  }

  /**
   * Starts to listen, once.
   * @returns the base URL of the pages
   * @throws SessionError `login_failed` if the configured port is in use
   */
  async open(): Promise<URL> {
    const { host = IPV4 } = this.#address;
    this.#opening ??= this.#listen(host);
    try {
      const [first] = await this.#opening;
      return new URL(`http://${host}:${first?.port}`);
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  /** Stops to accept connections. */
  stop(): void {
    void this.#opening?.then((servers) => {
      for (const server of servers) server.stop();
    }, ignore);
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const servers = await this.#opening?.catch(ignore);
    await Promise.all(servers?.map((server) => server.close()) ?? []);
  }

  async #listen(host: string): Promise<readonly ListeningServer[]> {
    const { port = 0 } = this.#address;
    const first = await this.#listenAt(port, IPV4);
    if (host !== 'localhost') return [first];
    // Browsers try both. Another process could receive the code on the family that is left to it.
    try {
      return [first, await this.#listenAt(first.port, IPV6)];
    } catch (error) {
      if (isWithoutIpv6(error)) return [first];
      await first.close();
      throw error;
    }
  }

  async #listenAt(port: number, host: string): Promise<ListeningServer> {
    try {
      return await listen(this.#listener, { port, host });
    } catch (cause) {
      if (codeOf(cause) !== 'EADDRINUSE') throw cause;
      throw new SessionError(
        'login_failed',
        `The port ${port} of the redirect URI is in use by another process, perhaps by another client of this server. End that process and try again, or ask the operator of this server to change \`callbackPort\` (--callback-port) and the registered redirect URI.`,
        { cause },
      );
    }
  }
}

function isWithoutIpv6(error: unknown): boolean {
  return codeOf(error) === 'EADDRNOTAVAIL' || codeOf(error) === 'EAFNOSUPPORT';
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** `open` has reported the error. */
function ignore(): undefined {
  return undefined;
}
