import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import express from 'express';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createSessions, type Sessions } from '../../packages/sessions/src/index.js';
import {
  type IdentityProviderProcess,
  startIdentityProviderProcess,
} from '../support/identity-provider-process.js';
import { connect } from '../support/mcp-clients.js';
import { connect2025, JSON_HEADERS, send } from '../support/raw-mcp.js';

let provider: IdentityProviderProcess;
beforeAll(async () => {
  provider = await startIdentityProviderProcess();
});
afterAll(() => provider?.stop());

/** Serves an app that is given the sessions once its address is known. @returns its origin. */
async function serve(appOf: (sessions: Sessions) => RequestListener): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server that listens has an AddressInfo.
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = provider.serverEnvironment;
  const sessions = createSessions({
    server: { name: 'notes', version: '1.0.0' },
    providers: {
      issuer: provider.issuer,
      clientId: env.MCP_SESSIONS_CLIENT_ID ?? '',
      clientSecret: env.MCP_SESSIONS_CLIENT_SECRET,
      scopes: ['openid', 'profile', 'notes'],
      authorizationParams: JSON.parse(env.MCP_SESSIONS_AUTHORIZATION_PARAMS ?? '{}'),
      apiOrigins: [provider.api],
    },
    publicUrl: origin,
    tools: (server, context) => {
      server.registerTool('whoami', { description: 'Tells who is logged in' }, async () => {
        const response = await context.session().fetch(`${provider.api}/me`);
        return { content: [{ type: 'text', text: await response.text() }] };
      });
    },
  });
  server.on('request', appOf(sessions));
  onTestFinished(async () => {
    await sessions.close();
    await once(server.close(), 'close');
  });
  return origin;
}

const parsing = (extended: boolean) => (sessions: Sessions) => {
  const app = express();
  app.use(express.json(), express.urlencoded({ extended }));
  app.use(sessions.middleware);
  app.post('/mine', (request, response) => {
    response.json(request.body);
  });
  return app;
};

/** Hono in Express: the request has the connection that Express has read from. */
const parsingAroundHono = (sessions: Sessions) => {
  const app = express();
  const inner = new Hono<{ Bindings: HttpBindings }>();
  inner.all('*', (c) => sessions.handleRequest(c.req.raw, c.env));
  app.use(express.json(), express.urlencoded());
  app.post('/mine', (request, response) => {
    response.json(request.body);
  });
  // Node's HTTP/1 server creates no other requests.
  app.use(getRequestListener((request, env) => inner.fetch(request, env as HttpBindings)));
  return app;
};

describe.each([
  ['Express with its body parsers in front', parsing(false)],
  ['Express with its extended body parsers in front', parsing(true)],
  ['Hono inside of Express with its body parsers in front', parsingAroundHono],
])('%s', (_what, appOf) => {
  it.each(['SDK 1.x', 'SDK 2.x pinned to 2026'] as const)('serves a client of %s', async (kind) => {
    const origin = await serve(appOf);
    const client = await connect(kind, `${origin}/mcp`);
    await client.logIn('alice');
    const { text } = await client.call('whoami');
    expect(JSON.parse(text)).toMatchObject({ name: 'alice' });
    await client.call('logout');
    await client.close();
  });

  it('leaves parsed bodies to the routes of the app', async () => {
    const origin = await serve(appOf);
    const mine = { method: 'POST', headers: JSON_HEADERS, body: '{"a":1}' };
    expect(await send(`${origin}/mine`, mine)).toMatchObject({ status: 200, text: '{"a":1}' });
  });

  it('refuses JSON that is nested too deep, and requests without a session, as it does without parsers', async () => {
    const origin = await serve(appOf);
    const deep = `${'['.repeat(40)}${']'.repeat(40)}`;
    const { secret } = await connect2025(`${origin}/mcp`);
    const headers = { ...JSON_HEADERS, 'mcp-session-id': secret };
    expect(await send(`${origin}/mcp`, { method: 'POST', headers, body: deep })).toMatchObject({
      status: 400,
      text: expect.stringContaining('nested deeper'),
    });
    const unknown = { ...headers, 'mcp-session-id': 'A'.repeat(43) };
    const call = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    expect(await send(`${origin}/mcp`, { method: 'POST', headers: unknown, body: call })).toMatchObject({
      status: 404,
    });
  });
});
