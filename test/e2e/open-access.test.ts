import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createSessions, SessionError, type SessionsOptions } from '../../packages/sessions/src/index.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { connect2025, JSON_HEADERS, request2026, send, startLogin } from '../support/raw-mcp.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

const OPTIONS: SessionsOptions = {
  server: { name: 'test', version: '1.0.0' },
  tools: () => undefined,
  providers: { issuer: 'https://idp.example', clientId: 'test' },
};

/** Headers that reveal a tunnel or proxy on the same machine. */
const TRACES = {
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-host': 'mcp.example.com',
  'x-forwarded-proto': 'https',
  forwarded: 'for=203.0.113.7',
  via: '1.1 proxy',
  'x-real-ip': '203.0.113.7',
  'cf-connecting-ip': '203.0.113.7',
};

describe('a server with open access', () => {
  let notes: InProcessNotes;
  beforeAll(async () => {
    notes = await startInProcessNotes();
  });
  afterAll(() => notes.close());

  it.each(Object.entries(TRACES))(
    'does not treat a request with `%s` as local [security 43]',
    async (name, value) => {
      const earlier = notes.events.length;
      const body = JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
      });
      const initialize = { method: 'POST', headers: { ...JSON_HEADERS, [name]: value }, body };
      const call = request2026('tools/call', { name: 'login', arguments: {} });
      for (const request of [initialize, { ...call, headers: { ...call.headers, [name]: value } }]) {
        const answer = await send(notes.mcp, request);
        expect(answer.status).toBe(403);
        expect(answer.text).toMatch(/its own machine only.*operator/);
      }
      expect(notes.events.slice(earlier)).toEqual([]);
    },
  );

  it('refuses a session that was started locally to a client behind a tunnel', async () => {
    const { secret } = await connect2025(notes.mcp);
    const headers = { ...JSON_HEADERS, 'mcp-session-id': secret, via: '1.1 tunnel' };
    for (const method of ['GET', 'DELETE']) {
      expect((await send(notes.mcp, { method, headers })).status).toBe(403);
    }
    const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const { via: _, ...local } = headers;
    expect((await send(notes.mcp, { method: 'POST', headers: local, body: ping })).status).toBe(200);
  });

  it('requires the confirmation code when a login that was started locally returns through a tunnel', async () => {
    const client = await connect2025(notes.mcp);
    const browser = new StepBrowser();
    const callback = await browser.logInUntilCallback(await startLogin(client), 'alice');
    const answer = await browser.request(callback, { headers: { 'x-forwarded-for': '203.0.113.7' } });
    expect(locationOf(answer, callback).pathname).toMatch(/\/code$/);
    expect(await client.call('whoami')).toMatchObject({ isError: true });
  });
});

describe('open access beyond this machine', () => {
  it('does not start with a public URL without `open-to-network` [security 43]', () => {
    const options = { ...OPTIONS, publicUrl: 'https://mcp.example.com' };
    expect(() => createSessions(options)).toThrow(/access tokens.*open-to-network/);
    expect(() => createSessions({ ...options, access: 'open' })).toThrow(SessionError);
    expect(() => createSessions({ ...options, access: 'open-to-network' })).not.toThrow();
  });

  it('does not listen on a public address without `open-to-network` [security 43]', async () => {
    await expect(createSessions(OPTIONS).listen({ port: 0, host: '0.0.0.0' })).rejects.toThrow(
      /access tokens.*open-to-network/,
    );
    const named = createSessions({ ...OPTIONS, access: 'open-to-network' });
    await expect(named.listen({ port: 0, host: '0.0.0.0' })).rejects.toThrow(/publicUrl/);
  });

  it('is refused over stdio', async () => {
    const sessions = createSessions({ ...OPTIONS, access: 'open-to-network' });
    await expect(sessions.serveStdio()).rejects.toThrow(/Remove `access`/);
  });

  it('accepts a request through a proxy with `open-to-network`', async () => {
    const sessions = createSessions({
      ...OPTIONS,
      access: 'open-to-network',
      publicUrl: 'https://mcp.example.com',
    });
    const server = createServer(sessions.middleware);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const discover = request2026('server/discover', {});
    const headers = { ...discover.headers, host: 'mcp.example.com', 'x-forwarded-for': '203.0.113.7' };
    const answer = await send(`http://127.0.0.1:${port}/mcp`, { ...discover, headers });
    expect(answer.status).toBe(200);
    server.close();
    await sessions.close();
  });

  it('builds links and redirect URIs from its public URL, not from request headers [security 13]', async () => {
    const open = await startInProcessNotes({ access: 'open-to-network' });
    onTestFinished(() => open.close());
    const { origin } = new URL(open.mcp);
    const headers = {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      forwarded: 'host=evil.example;proto=https',
      'x-forwarded-for': '203.0.113.7',
    };
    const link = await startLogin(await connect2025(open.mcp, { headers }));
    expect(new URL(link).origin).toBe(origin);
    const browser = new StepBrowser();
    const form = await browser.openConnectPage(link);
    const answer = await browser.post(link, { form, action: 'continue' }, headers);
    expect(locationOf(answer, link).searchParams.get('redirect_uri')).toBe(`${origin}/callback`);
  });
});
