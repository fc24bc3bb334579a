import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { createSessions } from '../server/create-sessions.js';
import type { Sessions } from '../server/sessions.js';
import { BasePath } from './base-path.js';
import type { HttpEnv } from './http-env.js';
import { LazyApp } from './lazy-app.js';
import { nodeHandlerOf } from './node-handler.js';

const JSON_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});

const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

function sessionsAt(publicUrl: string): Sessions {
  return createSessions({
    server: { name: 'test', version: '1.0.0' },
    providers: { issuer: 'http://127.0.0.1:9', clientId: 'test', scopes: ['openid'] },
    publicUrl,
    lifetimes: { shutdownDrainMs: 0 },
    tools: () => {},
  });
}

/** Serves an app. Creates the sessions for it once its address is known. @returns the origin of the app */
async function serve(appOf: (sessions: Sessions) => RequestListener): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A TCP server that listens has an AddressInfo.
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sessions = sessionsAt(origin);
  closings.push(async () => {
    await sessions.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  server.on('request', appOf(sessions));
  return origin;
}

/** An app whose body parser reads every request, and stores the result of `parse` in `request.body`. */
const behindParser =
  (parse: (body: Buffer) => unknown) =>
  (sessions: Sessions): RequestListener =>
  async (request: IncomingMessage & { body?: unknown }, response) => {
    const body = parse(await buffer(request));
    if (body !== undefined) request.body = body;
    sessions.middleware(request, response);
  };

/** An app with routes behind the middleware. */
const inFrontOfRoutes =
  (sessions: Sessions): RequestListener =>
  (request, response) =>
    sessions.middleware(request, response, () => response.end(`mine: ${request.url}`));

const parseJson = (body: Buffer): unknown => JSON.parse(body.toString());

const post = (url: string, body: string, headers: Record<string, string> = JSON_HEADERS) =>
  fetch(url, { method: 'POST', body, headers });

describe('routes that are being loaded', () => {
  /** A server whose routes are loaded by `finish`. @returns its port, and whether the only request was aborted */
  async function serveLater(
    onRequest: (finish: () => void, response: ServerResponse) => void,
    isMiddleware = false,
  ) {
    const app = new Hono<HttpEnv>();
    const isAborted = new Promise<boolean>((resolve) => {
      app.get('/own', (c) => {
        resolve(c.req.raw.signal.aborted);
        return c.text('own');
      });
    });
    let finish: () => void = () => undefined;
    const routes = new LazyApp(() => new Promise((resolve) => (finish = () => resolve(app))));
    const handler = nodeHandlerOf(routes, new BasePath(''));
    const server = createServer((request, response) => {
      handler(request, response, isMiddleware ? () => response.end('mine') : undefined);
      onRequest(finish, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closings.push(() => new Promise((resolve) => server.close(resolve)));
    // A TCP server that listens has an AddressInfo.
    return { port: (server.address() as AddressInfo).port, isAborted };
  }

  it('are told that the client has disconnected meanwhile', async () => {
    const { port, isAborted } = await serveLater((finish, response) => {
      response.once('close', finish);
      client.destroy();
    });
    const client = connect(port, '127.0.0.1');
    client.write('GET /own HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await isAborted).toBe(true);
  });

  it('take their own requests, and pass others on', async () => {
    const { port } = await serveLater((finish) => setImmediate(finish), true);
    const answers = ['own', 'other', 'own'].map(async (path) =>
      (await fetch(`http://127.0.0.1:${port}/${path}`)).text(),
    );
    expect(await Promise.all(answers)).toEqual(['own', 'mine', 'own']);
  });
});

describe('behind a body parser, the MCP endpoint', () => {
  it.each([
    ['parsed', parseJson],
    ['text', (body: Buffer) => body.toString()],
    ['bytes', (body: Buffer) => body],
  ])('uses the body that the parser has stored: %s', async (_kind, parse) => {
    const origin = await serve(behindParser(parse));
    const response = await post(`${origin}/mcp`, INITIALIZE);
    expect(response.status).toBe(200);
    expect(response.headers.get('mcp-session-id')).toEqual(expect.any(String));
    expect(await response.text()).toContain('"protocolVersion":"2025-11-25"');
  });

  it('refuses another content type [security 40]', async () => {
    const origin = await serve(behindParser(parseJson));
    const response = await post(`${origin}/mcp`, INITIALIZE, {
      ...JSON_HEADERS,
      'content-type': 'text/plain',
    });
    expect(response.status).toBe(415);
  });

  it.each([
    ['parsed', parseJson],
    ['text', (body: Buffer) => body.toString()],
  ])('refuses JSON that is nested too deep: %s [security 40]', async (_kind, parse) => {
    const origin = await serve(behindParser(parse));
    const response = await post(`${origin}/mcp`, `${'['.repeat(40)}${']'.repeat(40)}`);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('nested deeper');
  });

  it('refuses a body that is too large [security 40]', async () => {
    const origin = await serve(behindParser(parseJson));
    const response = await post(`${origin}/mcp`, JSON.stringify('x'.repeat(1024 * 1024)));
    expect(response.status).toBe(413);
  });

  it('names the fix if the body was read and not stored', async () => {
    const origin = await serve(behindParser(() => undefined));
    const response = await post(`${origin}/mcp`, INITIALIZE);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain('before the body parser');
  });
});

describe('behind a body parser, web-standard requests', () => {
  it('are served with Node’s request', async () => {
    const origin = await serve((sessions) => {
      const listener = getRequestListener((request, env) =>
        // Node's server of HTTP/1 makes no other requests.
        sessions.handleRequest(request, env as HttpBindings),
      );
      return async (request: IncomingMessage & { body?: unknown }, response) => {
        request.body = parseJson(await buffer(request));
        await listener(request, response);
      };
    });
    const response = await post(`${origin}/mcp`, INITIALIZE);
    expect(response.status).toBe(200);
  });

  it('are refused if their body was read before', async () => {
    const sessions = sessionsAt('http://127.0.0.1:3000');
    closings.push(() => sessions.close());
    const init = { method: 'POST', body: INITIALIZE, headers: JSON_HEADERS };
    const request = new Request('http://127.0.0.1:3000/mcp', init);
    await request.text();
    const response = await sessions.handleRequest(request);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain('before the body parser');
  });
});

describe('as middleware, the handler', () => {
  it.each([
    '/',
    '/mcp/',
    '/mcps',
    '/connect',
    '/login',
    '/login/help',
    '/healthz',
    '/callback/x',
    '//127.0.0.1/mcp',
  ])('passes on paths that are not its own: %s', async (path) => {
    const origin = await serve(inFrontOfRoutes);
    const response = await fetch(`${origin}${path}`);
    expect(await response.text()).toBe(`mine: ${path}`);
  });

  it.each([
    '/mcp',
    '/mcp?x=/',
    '/callback?state=x',
    '/connect/x',
    '/connect/x/code',
    '/login/done',
    '/login/failed/expired',
  ])('serves its own paths: %s', async (path) => {
    const origin = await serve(inFrontOfRoutes);
    const response = await fetch(`${origin}${path}`);
    expect(await response.text()).not.toContain('mine');
  });

  it('serves its own paths whatever the form of the request target', async () => {
    const origin = await serve(inFrontOfRoutes);
    const { port } = new URL(origin);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const path = `${origin}/login/done`;
      httpRequest({ host: '127.0.0.1', port, path, agent: false }, resolve).on('error', reject).end();
    });
    expect(answer.statusCode).toBe(200);
    expect(await text(answer)).not.toContain('mine');
  });

  it('leaves a body that it passes on unread', async () => {
    const origin = await serve(
      (sessions) => (request, response) =>
        sessions.middleware(request, response, async () => response.end(await text(request))),
    );
    const response = await post(`${origin}/mine`, 'all of it');
    expect(await response.text()).toBe('all of it');
  });

  it('answers every path if there is no next handler', async () => {
    const origin = await serve((sessions) => (request, response) => sessions.middleware(request, response));
    const [foreign, health] = await Promise.all([fetch(`${origin}/mine`), fetch(`${origin}/healthz`)]);
    expect(foreign.status).toBe(404);
    expect(await health.json()).toEqual({ status: 'ok' });
  });
});

describe('a client that pipelines requests', () => {
  /** The number of responses to a number of pipelined requests. */
  async function answersTo(requests: number): Promise<number> {
    const origin = await serve((sessions) => (request, response) => sessions.middleware(request, response));
    const { port, host } = new URL(origin);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    const last = `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    socket.write(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(requests - 1) + last);
    let answers = '';
    socket.on('data', (chunk) => {
      answers += chunk;
    });
    await new Promise((resolve) => socket.once('close', resolve));
    return answers.split('HTTP/1.1 200').length - 1;
  }

  it('gets up to 16 responses, and loses its connection with more requests [security 40]', async () => {
    expect(await answersTo(16)).toBe(16);
    expect(await answersTo(500)).toBeLessThan(17);
  });
});
