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

/** An address of this machine that is not loopback, if there is one. */
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
  /** Whether a request on a new connection is answered. The connection stays open then. */
  const isAccepted = async (host: string) => {
    const socket = connect(port, host);
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    const answered = once(socket, 'data').then(() => true);
    return Promise.race([answered, once(socket, 'close').then(() => false)]);
  };
  return { isAccepted };
}

async function countLetIn(isAccepted: (host: string) => Promise<boolean>, host: string): Promise<number> {
  let count = 0;
  for (let tries = 0; tries < 7; tries++) if (await isAccepted(host)) count++;
  return count;
}

describe('the connections of a server', () => {
  it('are limited in number, also those of this machine', async () => {
    const { isAccepted } = await serve();
    expect(await countLetIn(isAccepted, '127.0.0.1')).toBe(5);
  });

  it.skipIf(!outside)(
    'are limited for each address, and come free when they are closed [security 41]',
    async () => {
      const host = outside ?? '';
      const { isAccepted } = await serve();
      expect(await countLetIn(isAccepted, host)).toBe(2);
      expect(await isAccepted('127.0.0.1')).toBe(true);
      for (const socket of sockets.splice(0)) socket.destroy();
      // The server handles the close later.
      while (!(await isAccepted(host))) await setImmediate();
      expect(await countLetIn(isAccepted, host)).toBe(1);
    },
  );

  it.skipIf(!outside)('are not limited for a trusted proxy', async () => {
    const { isAccepted } = await serve([outside ?? '']);
    expect(await countLetIn(isAccepted, outside ?? '')).toBe(5);
  });
});
