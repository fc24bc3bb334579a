import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MiddlewareHandler } from 'hono';

/** A running HTTP server that only this machine can reach. */
export interface LoopbackServer {
  /** For example `http://127.0.0.1:3001`, without a trailing slash. */
  readonly origin: string;
  /** Stops listening and closes every connection. */
  close(): Promise<void>;
}

const ADDRESS = '127.0.0.1';
const NAMES = [ADDRESS, 'localhost'];

/**
 * Serves on 127.0.0.1 only. Requests with another host (DNS rebinding) or from a page of another origin get 403.
 *
 * @param port `0`: any free port
 * @param build creates the request listener; called with the address once the port is bound
 * @throws the `EADDRINUSE` error of Node, which contains the port, if the port is taken
 */
export async function serveOnLoopback(
  port: number,
  build: (origin: string) => RequestListener | Promise<RequestListener>,
): Promise<LoopbackServer> {
  const server = createServer();
  const bound = await listen(server, port);
  // `new URL` omits port 80, as clients do.
  const urls = NAMES.map((name) => new URL(`http://${name}:${bound}`));
  const { origin } = new URL(`http://${ADDRESS}:${bound}`);
  const close = () => closeServer(server);
  try {
    const listener = await build(origin);
    server.on('request', (request, response) => {
      const { host, origin: from } = request.headers;
      const isForUs = urls.some((url) => url.host === host);
      const isFromUs = from === undefined || urls.some((url) => url.origin === from);
      if (isForUs && isFromUs) return listener(request, response);
      response.writeHead(403, { 'content-type': 'text/plain' });
      response.end(`This server answers only to ${origin} and its own pages.\n`);
    });
  } catch (error) {
    await close();
    throw error;
  }
  return { origin, close };
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, ADDRESS, () => {
      server.off('error', reject);
      resolve();
    });
  });
  // A TCP server that listens has an AddressInfo.
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

/**
 * Refuses bodies larger than `maxBytes`, and those without a `Content-Length`. Node never reads more bytes than a
 * request has announced.
 */
export function limitBody(maxBytes: number, refuse: MiddlewareHandler): MiddlewareHandler {
  return (c, next) => {
    const isUnannounced = c.req.header('transfer-encoding') !== undefined;
    const isTooLarge = Number(c.req.header('content-length') ?? 0) > maxBytes;
    return isUnannounced || isTooLarge ? refuse(c, next) : next();
  };
}
