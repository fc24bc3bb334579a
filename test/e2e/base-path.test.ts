import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import express from 'express';
import { Hono } from 'hono';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AccessOptions, createSessions, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider } from '../../packages/sessions/src/testing/index.js';
import { client2026, connect2025, initialize, type RawClient, send, startLogin } from '../support/raw-mcp.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';
import { ERAS, type Era } from '../support/transcribed-server.js';

interface Notes {
  readonly sessions: Sessions;
  readonly provider: FaultingProvider;
  readonly log: readonly { readonly event?: string }[];
}

const CONNECT: Readonly<Record<Era, (mcp: string) => Promise<RawClient>>> = {
  '2025': (mcp) => connect2025(mcp),
  '2026': async (mcp) => client2026(mcp),
};

/** Sessions below a public URL, and the provider that they log in at. */
function notesAt(publicUrl: string, name: string, access?: AccessOptions): Notes {
  const provider = new FaultingProvider();
  const log: { readonly event?: string }[] = [];
  const write = (entry: object) => void log.push(entry);
  const sessions = createSessions({
    server: { name, version: '1.0.0' },
    providers: provider.options,
    publicUrl,
    logger: { debug: write, info: write, warn: write, error: write },
    access,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch },
    tools: () => {},
  });
  onTestFinished(() => sessions.close());
  return { sessions, provider, log };
}

/** Serves an app that is created when its address is known. @returns its origin */
async function serve(appOf: (origin: string) => RequestListener): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The address of a listening TCP server is an AddressInfo.
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', appOf(origin));
  onTestFinished(async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
  });
  return origin;
}

const AUTHOR = 'a page of the author';

/** An Express app whose other pages are the author's. */
function expressApp(use: (app: express.Express) => void): RequestListener {
  const app = express();
  use(app);
  app.use((_request, response) => {
    response.status(404).send(AUTHOR);
  });
  return app;
}

type Mount = (sessions: Sessions) => RequestListener;

const hono = (app: Hono<{ Bindings: HttpBindings }>): RequestListener =>
  // Node's HTTP/1 server creates requests of this type.
  getRequestListener((request, env) => app.fetch(request, env as HttpBindings));

const MOUNTS: readonly (readonly [string, Mount])[] = [
  ['by Express at that path', ({ middleware }) => expressApp((app) => app.use('/api', middleware))],
  ['by Express at the root', ({ middleware }) => expressApp((app) => app.use(middleware))],
  [
    'by a router of Express below another',
    ({ middleware }) =>
      expressApp((app) => app.use('/', express.Router().use('/api', express.Router().use(middleware)))),
  ],
  [
    'by Hono at that path',
    ({ handleRequest: fetch }) =>
      hono(new Hono<{ Bindings: HttpBindings }>().mount('/api', (request, env) => fetch(request, env))),
  ],
  [
    'by a route of Hono',
    ({ handleRequest: fetch }) =>
      hono(new Hono<{ Bindings: HttpBindings }>().all('/api/*', (c) => fetch(c.req.raw, c.env))),
  ],
  [
    'alone, behind a proxy that leaves the path',
    ({ middleware }) =>
      (...request) =>
        middleware(...request),
  ],
  [
    'alone, behind a proxy that strips the path',
    ({ middleware }) =>
      (request, response) => {
        request.url = withoutBase(request);
        middleware(request, response);
      },
  ],
];

function withoutBase({ url = '' }: IncomingMessage): string {
  return url.startsWith('/api/') ? url.slice('/api'.length) : url;
}

/** Completes a login in a browser. @returns the last page and its URL */
async function browse(browser: StepBrowser, loginUrl: string, provider: FaultingProvider, user: string) {
  const atProvider = await browser.consent(loginUrl);
  const callback = provider.authorize(atProvider, user);
  const last = locationOf(await browser.request(callback), callback);
  return { callback, last, page: await browser.request(last) };
}

describe.each(MOUNTS)('a server below a path, mounted %s', (_how, mount) => {
  it.each(ERAS)('keeps all pages and cookies of a login below the path (%s)', async (era) => {
    let notes: Notes | undefined;
    const origin = await serve((address) => {
      notes = notesAt(`${address}/api`, 'notes');
      return mount(notes.sessions);
    });
    const client = await CONNECT[era](`${origin}/api/mcp`);
    const loginUrl = await startLogin(client);
    expect(loginUrl).toMatch(`${origin}/api/connect/`);
    const browser = new StepBrowser();
    const { callback, last, page } = await browse(browser, loginUrl, notes!.provider, 'alice');
    expect(`${callback.origin}${callback.pathname}`).toBe(`${origin}/api/callback`);
    expect(last.href).toBe(`${origin}/api/login/done`);
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('alice') });
    expect([...browser.cookies.values()].map(({ path }) => path)).toEqual(['/api/']);
    expect(await client.call('login')).toMatchObject({
      isError: false,
      structured: { status: 'authenticated', account: { subject: 'alice' } },
    });
    expect(await client.call('session_status')).toMatchObject({
      structured: { state: 'authenticated', next: expect.stringMatching(/^Nothing\./) },
    });
    expect(await client.call('logout')).toMatchObject({
      structured: { status: 'logged_out', accounts: [{ revocation: 'confirmed' }] },
    });
    expect(notes!.provider.livingUsers()).toEqual([]);
    const logged = () =>
      notes!.log.map(({ event }) => event).filter((event) => !event?.startsWith('session.'));
    const moved = era === '2026' ? ['account.moved'] : [];
    await expect
      .poll(logged)
      .toEqual(['login.started', 'account.authenticated', ...moved, 'account.revoked']);
  });

  it.each(ERAS)('ends a declined login on a page below the path (%s)', async (era) => {
    const origin = await serve((address) => mount(notesAt(`${address}/api/`, 'notes').sessions));
    const client = await CONNECT[era](`${origin}/api/mcp`);
    const loginUrl = await startLogin(client);
    const browser = new StepBrowser();
    const form = await browser.openConnectPage(loginUrl);
    const declined = locationOf(await browser.post(loginUrl, { form, action: 'decline' }), loginUrl);
    expect(declined.href).toBe(`${origin}/api/login/failed/declined`);
    expect(await browser.request(declined)).toMatchObject({ status: 200 });
    expect(await client.call('login')).toMatchObject({
      isError: true,
      text: expect.stringMatching(/The user declined to log in/),
    });
    expect((await client.call('session_status')).structured).not.toHaveProperty('pending');
  });

  it('names existing metadata in its challenge, with the endpoint as the resource', async () => {
    const access = { issuer: 'http://127.0.0.1:9' };
    const origin = await serve((address) => mount(notesAt(`${address}/api`, 'notes', access).sessions));
    const refused = await initialize(`${origin}/api/mcp`);
    expect(refused.status).toBe(401);
    const [, metadata = ''] =
      /resource_metadata="([^"]+)"/.exec(refused.headers['www-authenticate'] ?? '') ?? [];
    const { status, text } = await send(metadata);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ resource: `${origin}/api/mcp` });
  });
});

describe('metadata of a protected resource below a path', () => {
  const WELL_KNOWN = '/.well-known/oauth-protected-resource';

  it.each([
    ['inserted before the path of the endpoint', `${WELL_KNOWN}/api/mcp`],
    ['appended to the endpoint', `/api/mcp${WELL_KNOWN}`],
    ['appended to the path', `/api${WELL_KNOWN}`],
    ['at the root', WELL_KNOWN],
  ])('is the same document %s, for a standalone server and for middleware', async (_where, path) => {
    const access = { issuer: 'http://127.0.0.1:9' };
    const mounts: Mount[] = [
      ({ middleware }) =>
        (...request) =>
          middleware(...request),
      ({ middleware }) => expressApp((app) => app.use(middleware)),
    ];
    for (const mount of mounts) {
      const origin = await serve((address) => mount(notesAt(`${address}/api`, 'notes', access).sessions));
      const answer = await send(`${origin}${path}`, { headers: { origin } });
      expect(answer.status).toBe(200);
      expect(answer.headers['access-control-allow-origin']).toBe(origin);
      expect(JSON.parse(answer.text)).toMatchObject({
        resource: `${origin}/api/mcp`,
        authorization_servers: ['http://127.0.0.1:9'],
      });
    }
  });

  it('is at the root if the public URL has no path', async () => {
    const access = { issuer: 'http://127.0.0.1:9' };
    const origin = await serve((address) => notesAt(address, 'notes', access).sessions.middleware);
    for (const path of [WELL_KNOWN, `${WELL_KNOWN}/mcp`, `/mcp${WELL_KNOWN}`]) {
      expect(JSON.parse((await send(`${origin}${path}`)).text)).toMatchObject({ resource: `${origin}/mcp` });
    }
  });
});

describe('two servers on one host', () => {
  it('serve overlapping logins of one browser, each below its path', async () => {
    const servers: Notes[] = [];
    const origin = await serve((address) => {
      const [a, b] = [notesAt(`${address}/a`, 'notes a'), notesAt(`${address}/b`, 'notes b')];
      servers.push(a, b);
      return expressApp((app) => app.use(a.sessions.middleware).use('/b', b.sessions.middleware));
    });
    await expectSideBySide(servers, [`${origin}/a`, `${origin}/b`]);
  });

  it('use different cookie names, because __Host- cookies have no path', async () => {
    const names = new Set<string>();
    const all: string[] = [];
    for (const publicUrl of ['https://mcp.test/a', 'https://mcp.test/b']) {
      const { sessions, provider } = notesAt(publicUrl, 'notes', 'open-to-network');
      const cookies = new Map<string, string>();
      const request = async (url: string | URL, init: RequestInit = {}) => {
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const response = await sessions.handleRequest(
          new Request(url, { ...init, headers: { ...init.headers, cookie } }),
        );
        for (const line of response.headers.getSetCookie()) {
          expect(line).toMatch(/^__Host-[^;]+;.* Path=\/;.*Secure/);
          const [name = '', value = ''] = line.split(';', 1)[0]?.split(/=(.*)/s) ?? [];
          cookies.set(name, value);
        }
        return response;
      };
      const client = await initializeOver(sessions, `${publicUrl}/mcp`);
      const loginUrl = await client.startLogin();
      const form = /name="form" value="([^"]*)"/.exec(await (await request(loginUrl)).text())?.[1] ?? '';
      const agreed = await request(loginUrl, {
        method: 'POST',
        headers: { origin: 'https://mcp.test' },
        body: new URLSearchParams({ form, action: 'continue' }),
      });
      const callback = provider.authorize(agreed.headers.get('location') ?? '', 'alice');
      const { pathname } = new URL((await request(callback)).headers.get('location') ?? '', callback);
      expect(pathname).toMatch(`${new URL(publicUrl).pathname}/connect/`);
      all.push(...cookies.keys());
      for (const name of cookies.keys()) names.add(name);
    }
    expect(all.length).toBeGreaterThanOrEqual(4);
    expect(names.size).toBe(all.length);
  });
});

/** Expects that two overlapping logins in one browser both succeed. */
async function expectSideBySide(servers: readonly Notes[], addresses: readonly string[]): Promise<void> {
  const browser = new StepBrowser();
  const clients = await Promise.all(addresses.map((address) => connect2025(`${address}/mcp`)));
  const callbacks: URL[] = [];
  for (const [index, client] of clients.entries()) {
    const atProvider = await browser.consent(await startLogin(client));
    callbacks.push(servers[index]!.provider.authorize(atProvider, `user${index}`));
  }
  const lasts: URL[] = [];
  for (const callback of callbacks) lasts.push(locationOf(await browser.request(callback), callback));
  for (const [index, last] of lasts.entries()) {
    expect(last.href).toBe(`${addresses[index]}/login/done`);
    expect((await browser.request(last)).text).toContain(`user${index}`);
    expect(await clients[index]!.call('session_status')).toMatchObject({
      structured: { state: 'authenticated' },
    });
  }
}

/** A 2025 client over web-standard requests. */
async function initializeOver(sessions: Sessions, mcp: string) {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const post = (message: object) =>
    sessions.handleRequest(
      new Request(mcp, {
        method: 'POST',
        headers,
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
      }),
    );
  const clientInfo = { name: 'test', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const answer = await post({ method: 'initialize', params });
  headers['mcp-session-id'] = answer.headers.get('mcp-session-id') ?? '';
  return {
    async startLogin(): Promise<string> {
      const text = await (
        await post({ method: 'tools/call', params: { name: 'login', arguments: {} } })
      ).text();
      return /"loginUrl":"([^"]+)"/.exec(text)?.[1] ?? '';
    },
  };
}

describe('two servers on two local ports', () => {
  it('serve overlapping logins of one browser, which shares cookies between ports', async () => {
    const servers: Notes[] = [];
    const addresses: string[] = [];
    for (const name of ['notes a', 'notes b']) {
      addresses.push(
        await serve((address) => {
          const notes = notesAt(address, name);
          servers.push(notes);
          return notes.sessions.middleware;
        }),
      );
    }
    await expectSideBySide(servers, addresses);
  });
});

describe('a server whose mount path differs from its public URL', () => {
  it.each([
    ['/api', '', 'at /api', 'at the root'],
    ['/v1', '/api', 'at /v1', 'at /api'],
  ])(
    'reports it at the first request: mounted at %s, with the path "%s"',
    async (mount, path, where, right) => {
      const origin = await serve((address) =>
        expressApp((app) => app.use(mount, notesAt(`${address}${path}`, 'notes').sessions.middleware)),
      );
      const answer = await initialize(`${origin}${mount}/mcp`);
      expect(answer.status).toBe(500);
      expect(answer.text).toContain(`mcp-sessions is mounted ${where}`);
      expect(answer.text).toContain(`Mount it ${right}, or set \`publicUrl\` to ${origin}${mount}.`);
      expect(await send(`${origin}${mount}/mine`)).toMatchObject({ status: 404, text: AUTHOR });
    },
  );

  it('reports it when Hono mounts it', async () => {
    const origin = await serve((address) => {
      const { sessions } = notesAt(address, 'notes');
      const app = new Hono<{ Bindings: HttpBindings }>();
      return hono(app.mount('/api', (request, env) => sessions.handleRequest(request, env)));
    });
    const answer = await initialize(`${origin}/api/mcp`);
    expect(answer).toMatchObject({ status: 500, text: expect.stringContaining('is mounted at /api') });
  });

  it('names the endpoint in the response at another path', async () => {
    const origin = await serve((address) => notesAt(`${address}/api`, 'notes').sessions.middleware);
    const answer = await initialize(`${origin}/v1/mcp`);
    expect(answer).toMatchObject({ status: 404, text: expect.stringContaining(`${origin}/api/mcp`) });
  });
});
