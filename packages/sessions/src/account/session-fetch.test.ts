import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SessionBench } from '../testing/session-bench.js';
import { LiveSession } from './session.js';
import { createSessionFetch } from './session-fetch.js';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function startApi(handle: Handler): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    handle(request, response, body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function sessionAt(apiOrigins: string[]) {
  const bench = new SessionBench();
  const { lease, record } = await bench.loggedIn('alice');
  const { accounts, refreshes, registry } = bench;
  const sessionFetch = createSessionFetch({ accounts, refreshes, registry, apiOrigins, fetch });
  return { bench, record, session: new LiveSession(lease, accounts, sessionFetch, 'idp') };
}

describe('session.fetch', () => {
  it('adds the access token, and keeps what else the caller sends', async () => {
    const origin = await startApi((request, response, body) => {
      const { authorization, 'x-mine': mine } = request.headers;
      response.end(JSON.stringify({ authorization, mine, method: request.method, body }));
    });
    const { session } = await sessionAt([origin]);
    const init = { method: 'POST', body: 'hello', headers: { 'x-mine': '1', authorization: 'Bearer other' } };
    const response = await session.fetch(`${origin}/notes`, init);
    expect(await response.json()).toEqual({
      authorization: 'Bearer access-alice-1',
      mine: '1',
      method: 'POST',
      body: 'hello',
    });
  });

  it('sends nothing to an origin that is not configured [security 47]', async () => {
    let requests = 0;
    const other = await startApi((_request, response) => {
      requests++;
      response.end();
    });
    const { session } = await sessionAt(['https://api.example.com']);
    await expect(session.fetch(other)).rejects.toMatchObject({ code: 'origin_not_allowed' });
    expect(requests).toBe(0);
  });

  it('refuses an API origin that is neither https nor loopback [security 47]', async () => {
    await expect(sessionAt(['http://api.example.com'])).rejects.toMatchObject({ code: 'configuration' });
  });

  it('follows a redirect with the token on the same origin only [security 47]', async () => {
    const seen: Record<string, string | undefined> = {};
    const other = await startApi((request, response) => {
      seen.other = request.headers.authorization;
      response.end('other');
    });
    const origin = await startApi((request, response) => {
      seen[request.url ?? ''] = request.headers.authorization;
      if (request.url === '/here') response.writeHead(302, { location: '/there' }).end();
      else if (request.url === '/there') response.writeHead(307, { location: `${other}/elsewhere` }).end();
    });
    const { session } = await sessionAt([origin, other]);
    expect(await (await session.fetch(`${origin}/here`)).text()).toBe('other');
    expect(seen).toEqual({
      '/here': 'Bearer access-alice-1',
      '/there': 'Bearer access-alice-1',
      other: undefined,
    });
  });

  it('renews a token that the API refuses, once, and repeats the call [security 25]', async () => {
    const bodies: string[] = [];
    const origin = await startApi((request, response, body) => {
      bodies.push(body);
      const isFresh = request.headers.authorization === 'Bearer access-alice-2';
      if (isFresh) response.end('ok');
      else response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
    });
    const { session, bench } = await sessionAt([origin]);
    const response = await session.fetch(origin, { method: 'POST', body: 'note' });
    expect(response.status).toBe(200);
    expect(bodies).toEqual(['note', 'note']);
    expect(bench.provider.presented).toHaveLength(1);
  });

  it('does not blame the token for a 401 with another reason [security 25]', async () => {
    const origin = await startApi((_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="insufficient_scope"' }).end();
    });
    const { session, bench } = await sessionAt([origin]);
    expect((await session.fetch(origin)).status).toBe(401);
    expect(bench.provider.presented).toHaveLength(0);
  });

  it('does not repeat a call whose body is a stream [security 25]', async () => {
    let requests = 0;
    const origin = await startApi((_request, response) => {
      requests++;
      response.writeHead(401).end();
    });
    const { session } = await sessionAt([origin]);
    const body = new Blob(['streamed']).stream();
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, duplex: 'half' };
    expect((await session.fetch(origin, init)).status).toBe(401);
    expect(requests).toBe(1);
  });

  it('is cut off when its session is signed out', async () => {
    let arrived: () => void;
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const origin = await startApi(() => arrived());
    const { session, bench, record } = await sessionAt([origin]);
    const call = session.fetch(origin);
    await arrival;
    await bench.registry.signOut(record.ref, 'logout');
    await expect(call).rejects.toMatchObject({ code: 'signed_out' });
  });
});
