import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { Hono } from 'hono';
import { expect, it, onTestFinished } from 'vitest';
import { BasePath } from './base-path.js';
import type { HttpEnv } from './http-env.js';
import { nodeServerOptions } from './http-limits.js';
import { LazyApp } from './lazy-app.js';
import { listen } from './listen.js';
import { nodeHandlerOf } from './node-handler.js';

/** The limits for slow clients. */
const WITHIN = { maxHeaderSize: 16 * 1024, headersTimeout: 10_000, requestTimeout: 30_000 };
/** Load balancers keep idle connections for 60 seconds. */
const KEPT = { keepAliveTimeout: 65_000 };

it('nodeServerOptions limits headers to 10 seconds, and a request to 30 [security 40]', () => {
  // Node checks the limits at this interval.
  expect(nodeServerOptions).toEqual({ ...WITHIN, ...KEPT, connectionsCheckingInterval: 5000 });
  const server = createServer(nodeServerOptions);
  onTestFinished(() => void server.close());
  expect(server).toMatchObject(WITHIN);
});

it('listen limits headers to 10 seconds, and a request to 30 [security 40]', async () => {
  const serving: Server[] = [];
  const { port, close } = await listen(
    (request, response) => {
      serving.push(serverOf(request));
      response.end();
    },
    { port: 0, host: '127.0.0.1' },
  );
  onTestFinished(close);
  await fetch(`http://127.0.0.1:${port}/`);
  expect(serving).toEqual([expect.objectContaining({ ...WITHIN, ...KEPT })]);
});

it.each([
  { keepAliveMs: undefined, seconds: 65 },
  { keepAliveMs: 620_000, seconds: 620 },
])('a connection is kept for $seconds seconds after a response', async ({ keepAliveMs, seconds }) => {
  const sockets: Socket[] = [];
  const app = new Hono<HttpEnv>().get('/', (c) => c.text('answered'));
  const handler = nodeHandlerOf(new LazyApp(async () => app), new BasePath(''));
  const { port, close } = await listen(
    (request, response) => {
      sockets.push(request.socket);
      handler(request, response);
    },
    { port: 0, host: '127.0.0.1', keepAliveMs },
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(async () => {
    agent.destroy();
    await close();
  });
  const get = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      request({ port, agent }, (answer) => answer.resume().once('end', () => resolve(answer)))
        .once('error', reject)
        .end();
    });
  expect((await get()).headers['keep-alive']).toBe(`timeout=${seconds}`);
  // Node closes it after so long without a request, counted anew after every answer.
  await expect.poll(() => sockets[0]?.timeout).toBeGreaterThanOrEqual(seconds * 1000);
  await get();
  expect(sockets[1]).toBe(sockets[0]);
});

/** Node keeps the server of a connection there, and says so nowhere. */
function serverOf({ socket }: IncomingMessage): Server {
  return (socket as typeof socket & { server: Server }).server;
}
