import { once } from 'node:events';
import { createServer, STATUS_CODES } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** A forward proxy: tunnels connections (RFC 9110 section 9.3.6). */
export interface ConnectProxy {
  readonly url: string;
  /** The hosts and ports of the requests, in their order. */
  readonly requested: string[];
  close(): Promise<void>;
}

/**
 * Starts a forward proxy that connects every host name to this machine.
 * @param portOf the port of a host on this machine, or the status with which the proxy refuses
 */
export async function startConnectProxy(
  portOf: (host: string) => number | { readonly refusal: number },
): Promise<ConnectProxy> {
  const requested: string[] = [];
  const sockets = new Set<Socket>();
  const own = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer();
  server.on('connect', ({ url = '' }, client: Socket) => {
    requested.push(url);
    own(client);
    const port = portOf(url);
    if (typeof port === 'object') {
      client.end(`HTTP/1.1 ${port.refusal} ${STATUS_CODES[port.refusal]}\r\n\r\n`);
      return;
    }
    const upstream = connect({ port, host: '127.0.0.1' }, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    own(upstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The address of a listening TCP server is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requested,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
