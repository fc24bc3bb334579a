import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AccessOptions, createSessions } from '../../packages/sessions/src/index.js';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';

const WELL_KNOWN = '/.well-known/oauth-authorization-server';
const ISSUER = 'https://auth.test';
/** Metadata with a field that no library knows. */
const DOCUMENT = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/auth`,
  token_endpoint: `${ISSUER}/token`,
  registration_endpoint: `${ISSUER}/reg`,
  jwks_uri: `${ISSUER}/jwks`,
  response_types_supported: ['code'],
  code_challenge_methods_supported: ['S256'],
  'x-own': { of: ['the', 'issuer'] },
};

interface Setting {
  readonly publicUrl?: string;
  readonly access?: AccessOptions;
}

function start({ publicUrl = 'https://mcp.test', access = { issuer: ISSUER } }: Setting = {}) {
  const clock = new VirtualClock();
  const issuer = { document: DOCUMENT as object | undefined, asked: [] as string[] };
  const sessions = createSessions({
    server: { name: 'notes', version: '1' },
    providers: { issuer: 'https://id.test', clientId: 'notes' },
    publicUrl,
    access,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: {
      clock,
      fetch: async (input) => {
        const { href, pathname } = new URL(input instanceof Request ? input.url : input);
        issuer.asked.push(href);
        if (!issuer.document) throw new TypeError('fetch failed');
        return pathname === WELL_KNOWN ? Response.json(issuer.document) : new Response(null, { status: 404 });
      },
    },
    tools: () => {},
  });
  onTestFinished(() => sessions.close());
  const get = (path: string, init?: RequestInit) =>
    sessions.handleRequest(new Request(new URL(path, publicUrl), init));
  return { sessions, issuer, clock, get };
}

/** The headers of clients of SDK 1.10. */
const OLD_SDK = { headers: { 'mcp-protocol-version': '2024-11-05' } };

describe('the authorization server metadata for clients of 2025-03-26', () => {
  it('is the unchanged document of the issuer, fetched once', async () => {
    const { issuer, get } = start();
    for (const path of [WELL_KNOWN, `${WELL_KNOWN}/mcp`, `/mcp${WELL_KNOWN}`]) {
      const answer = await get(path, OLD_SDK);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
      expect(await answer.json()).toEqual(DOCUMENT);
    }
    expect(issuer.asked.filter((href) => href === `${ISSUER}${WELL_KNOWN}`)).toHaveLength(1);
  });

  it.each([WELL_KNOWN, `${WELL_KNOWN}/api/mcp`, `/api${WELL_KNOWN}`, `/api${WELL_KNOWN}/mcp`])(
    'is at %s for a server below a path',
    async (path) => {
      const { get } = start({ publicUrl: 'https://mcp.test/api' });
      expect(await (await get(path)).json()).toEqual(DOCUMENT);
    },
  );

  it('is readable by web pages of the allowed origins only', async () => {
    const { get } = start();
    const own = { headers: { origin: 'https://mcp.test' } };
    expect((await get(WELL_KNOWN, own)).headers.get('access-control-allow-origin')).toBe('https://mcp.test');
    const asking = { ...own.headers, 'access-control-request-headers': 'mcp-protocol-version' };
    const preflight = await get(WELL_KNOWN, {
      method: 'OPTIONS',
      headers: { ...asking, 'access-control-request-method': 'GET' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/mcp-protocol-version/);
    expect((await get(WELL_KNOWN, { headers: { origin: 'https://evil.test' } })).status).toBe(403);
  });

  it('is answered 503 with Retry-After while the issuer is unreachable, and available afterwards', async () => {
    const { issuer, clock, get } = start();
    issuer.document = undefined;
    const failed = await get(WELL_KNOWN);
    expect(failed.status).toBe(503);
    expect(failed.headers.get('retry-after')).toBe('60');
    expect(await failed.json()).toMatchObject({
      error: { message: expect.stringMatching(/cannot be (reached|used now): .*Try again in a minute/) },
    });
    issuer.document = DOCUMENT;
    await clock.advance(2000);
    expect((await get(WELL_KNOWN)).status).toBe(200);
  });

  it('is not forwarded if it names another issuer [security 12]', async () => {
    const { issuer, get } = start();
    issuer.document = { ...DOCUMENT, issuer: 'https://evil.test', token_endpoint: 'https://evil.test/token' };
    const refused = await get(WELL_KNOWN);
    expect(refused.status).toBe(503);
    expect(await refused.text()).not.toContain('evil.test/token');
  });

  it('does not exist in open access, and the issuer gets no request', async () => {
    const { issuer, get } = start({ access: 'open-to-network' });
    expect((await get(WELL_KNOWN)).status).toBe(404);
    expect(issuer.asked).toEqual([]);
  });
});

it('an authorization server on the same origin keeps its well-known paths', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
  });
  // The address of a listening TCP server is an AddressInfo.
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { sessions } = start({ publicUrl: `${origin}/api`, access: { issuer: origin } });
  const app = express();
  app.use(sessions.middleware);
  app.get(WELL_KNOWN, (_request, response) => {
    response.json({ issuer: origin });
  });
  server.on('request', app);
  expect(await (await fetch(`${origin}${WELL_KNOWN}`)).json()).toEqual({ issuer: origin });
  const resource = await fetch(`${origin}/.well-known/oauth-protected-resource/api/mcp`);
  expect(await resource.json()).toMatchObject({ authorization_servers: [origin] });
});
