import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { TrustedProxies } from './client-address.js';
import { limitConnections } from './connection-limits.js';

const sockets: Socket[] = [];
let server: Server;
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** An address of this machine that is not loopback, if it has any. */
const outside = Object.values(networkInterfaces())
  .flatMap((addresses = []) => addresses)
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

async function serve(trustedProxies: readonly string[] = []) {
  server = createServer((_request, response) => response.end('served'));
  limitConnections(server, {
    connections: 5,
    connectionsPerAddress: 2,
    trustedProxies: new TrustedProxies(trustedProxies),
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  /** Whether a connection is let in, as far as a request on it is answered. It stays open then. */
  const isLetIn = async (host: string) => {
    const socket = connect(port, host);
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    const answered = once(socket, 'data').then(() => true);
    return Promise.race([answered, once(socket, 'close').then(() => false)]);
  };
  return { isLetIn };
}

async function countLetIn(isLetIn: (host: string) => Promise<boolean>, host: string): Promise<number> {
  let count = 0;
  for (let tries = 0; tries < 7; tries++) if (await isLetIn(host)) count++;
  return count;
}

describe('the connections of a server', () => {
  it('are limited in number, those of this machine too', async () => {
    const { isLetIn } = await serve();
    expect(await countLetIn(isLetIn, '127.0.0.1')).toBe(5);
  });

  it.skipIf(!outside)(
    'are limited for each address, and come free when they are closed [security 41]',
    async () => {
      const host = outside ?? '';
      const { isLetIn } = await serve();
      expect(await countLetIn(isLetIn, host)).toBe(2);
      expect(await isLetIn('127.0.0.1')).toBe(true);
      for (const socket of sockets.splice(0)) socket.destroy();
      // The server hears of it when it comes to it.
      while (!(await isLetIn(host))) await setImmediate();
      expect(await countLetIn(isLetIn, host)).toBe(1);
    },
  );

  it.skipIf(!outside)('are not limited for a trusted proxy', async () => {
    const { isLetIn } = await serve([outside ?? '']);
    expect(await countLetIn(isLetIn, outside ?? '')).toBe(5);
  });
});
