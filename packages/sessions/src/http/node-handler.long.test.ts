import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { expect, it, onTestFinished } from 'vitest';
import { BasePath } from './base-path.js';
import type { HttpEnv } from './http-env.js';
import { LazyApp } from './lazy-app.js';
import { nodeHandlerOf } from './node-handler.js';

// In real time: Node restarts its timer whenever the client's kernel accepts data.
it('closes the connection of an unread response, and no other connection [security 40]', async () => {
  // More than the kernel buffers.
  const large = 'x'.repeat(32 * 1024 * 1024);
  const app = new Hono<HttpEnv>().get('/large', (c) => c.text(large));
  const server = createServer(nodeHandlerOf(new LazyApp(async () => app), new BasePath('')));
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
