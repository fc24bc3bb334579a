import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ConnectionLimits, limitConnections } from './connection-limits.js';
import { KEEP_ALIVE_MS, nodeServerOptions } from './http-limits.js';

/** A listening HTTP server. */
export interface ListeningServer {
  readonly port: number;
  /** Stops accepting connections. */
  stop(): void;
  /** Closes the server and all of its connections. */
  close(): Promise<void>;
}

/** The address of a server, and how it keeps connections. */
export interface ListenSettings {
  /** `0`: any free port. */
  readonly port: number;
  readonly host: string;
  /** How long a connection is kept between requests, in milliseconds. Default: 65,000. */
  readonly keepAliveMs?: number | undefined;
  /** Default: no limits, for a server on loopback. */
  readonly limits?: ConnectionLimits | undefined;
}

/**
 * Starts a Node HTTP server.
 * @throws Node's error if the port is in use (`EADDRINUSE`) or not allowed (`EACCES`)
 */
export async function listen(
  listener: RequestListener,
  { port, host, keepAliveMs = KEEP_ALIVE_MS, limits }: ListenSettings,
): Promise<ListeningServer> {
  const server = createServer({ ...nodeServerOptions, keepAliveTimeout: keepAliveMs }, listener);
  if (limits) limitConnections(server, limits);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  // A TCP server that listens has an AddressInfo (Node: server.address()).
  const address = server.address() as AddressInfo;
  const closed = new Promise<void>((resolve) => server.once('close', () => resolve()));
  return {
    port: address.port,
    stop: () => void server.close(),
    close: async () => {
      if (server.listening) server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
