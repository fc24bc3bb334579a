import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A running HTTP server that only this machine can reach. */
export interface LoopbackServer {
  /** For example `http://127.0.0.1:3001`, without a trailing slash. */
  readonly origin: string;
  /** Stops listening and drops every connection. */
  close(): Promise<void>;
}

const ADDRESS = '127.0.0.1';
const NAMES = [ADDRESS, 'localhost'];

/**
 * Serves on 127.0.0.1 and nowhere else: there is no option to widen it. Requests that name another host
 * (DNS rebinding) or come from a page of another origin get 403.
 *
 * @param port `0` for any free one
 * @param build called once the port is bound, so that it can build in the server's own address
 * @throws the `EADDRINUSE` error of Node, which carries the port, when the port is taken
 */
export async function serveOnLoopback(
  port: number,
  build: (origin: string) => RequestListener | Promise<RequestListener>,
): Promise<LoopbackServer> {
  const server = createServer();
  const bound = await listen(server, port);
  // `new URL` leaves port 80 out, as clients do.
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
  // Only a server on a pipe has an address of another kind.
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
