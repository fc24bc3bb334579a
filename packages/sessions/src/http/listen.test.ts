import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { expect, it, onTestFinished } from 'vitest';
import type { HttpEnv } from './http-env.js';
import { nodeServerOptions } from './http-limits.js';
import { listen, nodeHandlerOf } from './listen.js';

/** What keeps a slow client from holding a connection. */
const WITHIN = { maxHeaderSize: 16 * 1024, headersTimeout: 10_000, requestTimeout: 30_000 };

it('a server of your own gets headers within 10 seconds, and a request within 30 [security 40]', () => {
  // How late after its time a connection may be cut off.
  expect(nodeServerOptions).toEqual({ ...WITHIN, connectionsCheckingInterval: 5000 });
  const server = createServer(nodeServerOptions);
  onTestFinished(() => void server.close());
  expect(server).toMatchObject(WITHIN);
});

it('a server that listens gets headers within 10 seconds, and a request within 30 [security 40]', async () => {
  const serving: Server[] = [];
  const { port, close } = await listen(
    (request, response) => {
      serving.push(serverOf(request));
      response.end();
    },
    0,
    '127.0.0.1',
  );
  onTestFinished(close);
  await fetch(`http://127.0.0.1:${port}/`);
  expect(serving).toEqual([expect.objectContaining(WITHIN)]);
});

/** Node keeps the server of a connection there, and says so nowhere. */
function serverOf({ socket }: IncomingMessage): Server {
  return (socket as typeof socket & { server: Server }).server;
}

it('an answer that is left unread ends its connection, and no other [security 40]', async () => {
  // More than the kernel takes.
  const large = 'x'.repeat(32 * 1024 * 1024);
  const app = new Hono<HttpEnv>().get('/large', (c) => c.text(large));
  const server = createServer(nodeHandlerOf(app));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/large`;
  const accepted = once(server, 'connection');
  const client = connect(port, '127.0.0.1').pause();
  onTestFinished(async () => {
    client.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  client.on('error', () => undefined);
  client.write('GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  const [socket] = (await accepted) as [Socket];
  const closed = new Promise((resolve) => socket.once('close', resolve));
  expect((await (await fetch(url)).text()).length).toBe(large.length);
  await closed;
  let received = 0;
  client.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  client.resume();
  await new Promise((resolve) => client.once('close', resolve));
  expect(received).toBeLessThan(large.length);
});
