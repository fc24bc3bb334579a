import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import type { BasePath } from './base-path.js';
import { ChunkLimit } from './body/chunk-limit.js';
import { type ConnectionLimits, limitConnections } from './connection-limits.js';
import type { HttpEnv } from './http-env.js';
import { KEEP_ALIVE_MS, nodeServerOptions, UNREAD_PATIENCE_MS } from './http-limits.js';
import { ownPathsOf } from './own-paths.js';
import { PipeliningLimit } from './pipelining-limit.js';

/** Serves requests of Node's HTTP server; with `next` only those for paths of its own. */
type NodeHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;

/** Serves an app to Node's HTTP server. The global `Request` and `Response` stay as they are. */
export function nodeHandlerOf(app: Hono<HttpEnv>, basePath: BasePath): NodeHandler {
  const listener = getRequestListener((request, env) => app.fetch(request, { ...env, isPlain: true }), {
    overrideGlobalObjects: false,
  });
  const isOwn = ownPathsOf(app, basePath);
  const unanswered = new PipeliningLimit();
  return (request, response, next) => {
    if (next && !isOwn(request)) {
      next();
      return;
    }
    if (!unanswered.admit(request, response)) return;
    response.setTimeout(UNREAD_PATIENCE_MS, () => {
      // Quiet is no fault; leaving an answer unread is.
      if (response.writableLength > 0) response.destroy();
    });
    response.once('close', () => boundRest(request));
    void listener(request, response);
  };
}

/**
 * What comes of a body after the answer is read for a while, so that its sender gets to see the answer. That may be
 * no end of pieces either; and nobody sends a GET like that.
 */
function boundRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  if (request.method === 'GET' || request.method === 'HEAD') {
    request.socket.destroy();
    return;
  }
  const pieces = new ChunkLimit();
  request.on('data', (piece: Buffer) => {
    if (pieces.add(piece.length)) request.socket.destroy();
  });
}

/** An HTTP server that listens, within the limits of this library. */
export interface ListeningServer {
  readonly port: number;
  /** Accepts no new connections from now on. */
  stop(): void;
  /** Closes what is open. */
  close(): Promise<void>;
}

/** Where a server listens, and how it keeps connections. */
export interface ListenAddress {
  /** The port. `0`: any free port. */
  readonly port: number;
  readonly host: string;
  /** How long a connection is kept between requests, in milliseconds. Default: 65,000. */
  readonly keepAliveMs?: number | undefined;
  /** For a server that other machines can reach. */
  readonly limits?: ConnectionLimits | undefined;
}

/**
 * Starts a Node HTTP server.
 * @throws what Node throws when the port is taken (`EADDRINUSE`) or not allowed (`EACCES`)
 */
export async function listen(
  listener: RequestListener,
  { port, host, keepAliveMs = KEEP_ALIVE_MS, limits }: ListenAddress,
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
