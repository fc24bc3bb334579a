import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSessions, type Sessions, type SessionsOptions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn } from '../../packages/sessions/src/testing/index.js';
import { call2025, connect2025, initialize, JSON_HEADERS, request2026, send } from '../support/raw-mcp.js';

interface Deployed {
  readonly sessions: Sessions;
  readonly provider: FaultingProvider;
  /** The warnings to the operator. */
  readonly warnings: string[];
}

function deploy(options: Partial<SessionsOptions> = {}): Deployed {
  const provider = new FaultingProvider();
  const warnings: string[] = [];
  const write = (line: string) => void warnings.push(JSON.parse(line).msg);
  const sessions = createSessions({
    server: { name: 'notes', version: '1.0.0' },
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch },
    logger: pino({ level: 'warn' }, { write }),
    tools: () => {},
    ...options,
  });
  onTestFinished(() => sessions.close());
  return { sessions, provider, warnings };
}

/** Starts a server on loopback. @returns also its origin */
async function listening(options: Partial<SessionsOptions> = {}): Promise<Deployed & { origin: string }> {
  const deployed = deploy(options);
  const { url } = await deployed.sessions.listen({ port: 0 });
  return { ...deployed, origin: new URL(url).origin };
}

const ORIGINAL_INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});

describe('the health check', () => {
  it.each(['10.0.3.7:3000', 'evil.example.com', '[fd00::7]:3000', 'my_pod', 'localhost'])(
    'answers under the host %s, which serves nothing else [security 43]',
    async (host) => {
      const { origin } = await listening();
      const health = await send(`${origin}/healthz`, {
        headers: { host },
      });
      expect(health).toMatchObject({ status: 200, text: '{"status":"ok"}' });
      expect(health.headers['cache-control']).toBe('no-store');
      expect((await send(`${origin}/healthz`, { method: 'HEAD', headers: { host } })).status).toBe(200);
      if (host !== 'localhost')
        expect(await send(`${origin}/mcp`, { headers: { host } })).toMatchObject({ status: 403 });
    },
  );

  it('answers without a host, as HTTP/1.0 allows, where nothing else is served [security 43]', async () => {
    const { origin } = await listening();
    const ask = async (path: string) => {
      const socket = connect(Number(new URL(origin).port), '127.0.0.1');
      socket.end(`GET ${path} HTTP/1.0\r\n\r\n`);
      return text(socket);
    };
    expect(await ask('/healthz')).toMatch(/^HTTP\/1.1 200 .*"status":"ok"/s);
    expect(await ask('/readyz')).toMatch(/^HTTP\/1.1 200 /);
    expect(await ask('/mcp')).toMatch(/^HTTP\/1.1 403 /);
  });

  it('answers below the path of the public URL', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    // The address of a listening TCP server is an AddressInfo.
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', deploy({ publicUrl: `${origin}/api` }).sessions.middleware);
    onTestFinished(async () => void (await once(server.close(), 'close')));
    for (const path of ['/healthz', '/api/healthz']) {
      expect(await send(`${origin}${path}`)).toMatchObject({ status: 200 });
    }
  });
});

describe('the Accept header', () => {
  it.each(['*/*', 'text/*, application/*', undefined])(
    '%s is accepted from a 2025 client',
    async (accept) => {
      const { origin } = await listening();
      const headers = { 'content-type': 'application/json', ...(accept !== undefined && { accept }) };
      const opened = await send(`${origin}/mcp`, { method: 'POST', headers, body: ORIGINAL_INITIALIZE });
      expect(opened.status).toBe(200);
      const session = { ...headers, 'mcp-session-id': String(opened.headers['mcp-session-id']) };
      const called = await send(`${origin}/mcp`, {
        method: 'POST',
        headers: session,
        body: call2025('session_status'),
      });
      expect(called).toMatchObject({ status: 200, text: expect.stringContaining('"state"') });
      const stream = await fetch(`${origin}/mcp`, { headers: session });
      expect(stream.status).toBe(200);
      await stream.body?.cancel();
    },
  );

  it.each(['application/json', 'text/event-stream', '*/*, text/event-stream;q=0', 'text/html'])(
    '%s is refused from a 2025 client, which must accept JSON and event streams',
    async (accept) => {
      const { origin } = await listening();
      const headers = { ...JSON_HEADERS, accept };
      const refused = await send(`${origin}/mcp`, { method: 'POST', headers, body: ORIGINAL_INITIALIZE });
      expect(refused.status).toBe(406);
    },
  );

  it.each([
    ['*/*', 200],
    ['application/json', 200],
    ['text/html', 406],
    ['*/*;q=0', 406],
  ])('%s is answered in 2026 with %i', async (accept, status) => {
    const { origin } = await listening();
    const request = request2026('tools/list', {});
    const answer = await send(`${origin}/mcp`, { ...request, headers: { ...request.headers, accept } });
    expect(answer.status).toBe(status);
  });
});

describe('a framework whose request.url is always localhost, such as Next.js', () => {
  const PUBLIC = 'https://mcp.example.com';

  /** A request as a route handler of Next.js gets it from a client that addresses `host`. */
  function handedOver(path: string, host: string, init: RequestInit = {}): Request {
    return new Request(`https://localhost:3000${path}`, {
      ...init,
      headers: {
        ...Object.fromEntries(new Headers(init.headers)),
        host,
        'x-forwarded-host': host,
        'x-forwarded-port': '3000',
        'x-forwarded-proto': 'https',
        'x-forwarded-for': '192.0.2.7',
      },
    });
  }

  it('serves its public host only [security 43]', async () => {
    const { sessions } = deploy({ publicUrl: `${PUBLIC}/api`, access: 'open-to-network' });
    const init = { method: 'POST', headers: JSON_HEADERS, body: ORIGINAL_INITIALIZE };
    const opened = await sessions.handleRequest(handedOver('/api/mcp', 'mcp.example.com', init));
    expect(opened.status).toBe(200);
    await opened.text();
    for (const host of ['evil.example.com', 'localhost:3000', 'localhost']) {
      expect((await sessions.handleRequest(handedOver('/api/mcp', host, init))).status).toBe(403);
    }
  });

  it('completes a login', async () => {
    const { sessions, provider } = deploy({ publicUrl: `${PUBLIC}/api`, access: 'open-to-network' });
    const throughNext: Pick<Sessions, 'handleRequest'> = {
      async handleRequest(request) {
        const { pathname, search, host } = new URL(request.url);
        const body = request.method === 'POST' ? await request.text() : undefined;
        const init = {
          method: request.method,
          headers: request.headers,
          ...(body !== undefined && { body }),
        };
        return sessions.handleRequest(handedOver(pathname + search, host, init));
      },
    };
    const post = (headers: Record<string, string>, body: string) =>
      throughNext.handleRequest(new Request(`${PUBLIC}/api/mcp`, { method: 'POST', headers, body }));
    const opened = await post(JSON_HEADERS, ORIGINAL_INITIALIZE);
    const headers = { ...JSON_HEADERS, 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
    await opened.text();
    const started = await (await post(headers, call2025('login'))).text();
    const loginUrl = /"loginUrl":"([^"]+)"/.exec(started)?.[1] ?? '';
    expect(loginUrl).toMatch(`${PUBLIC}/api/connect/`);
    const { code } = await logIn(throughNext, loginUrl, { provider, user: 'alice' });
    expect(await (await post(headers, call2025('login', { code }))).text()).toContain('Logged in as alice');
  });
});

describe('the operator gets a warning', () => {
  const forwarded = (more: Record<string, string> = {}) => ({ 'x-forwarded-for': '192.0.2.1', ...more });

  it('about an untrusted proxy, once', async () => {
    const { origin, warnings } = await listening();
    for (let index = 0; index < 5; index++) {
      const headers = { ...forwarded(), 'x-real-ip': `192.0.2.${index}`, [`cf-${index}`]: 'x' };
      await send(`${origin}/mcp`, { headers });
    }
    expect(warnings).toEqual([expect.stringContaining('Requests from 127.0.0.1 have the header "')]);
    expect(warnings[0]).toContain('MCP_SESSIONS_TRUSTED_PROXIES');
  });

  it('never with a trusted proxy that names its clients', async () => {
    const { origin, warnings } = await listening({ trustedProxies: ['127.0.0.1'] });
    await send(`${origin}/mcp`, { headers: forwarded() });
    expect(warnings).toEqual([]);
  });

  it('about a trusted proxy that names its clients in another header', async () => {
    const { origin, warnings } = await listening({ trustedProxies: ['127.0.0.1'] });
    await send(`${origin}/mcp`, { headers: { forwarded: 'for=192.0.2.1' } });
    expect(warnings).toEqual([expect.stringContaining('sends no X-Forwarded-For, only "forwarded"')]);
  });

  it('about a proxy that rewrites Host', async () => {
    const { sessions, warnings } = deploy({
      publicUrl: 'https://mcp.example.com',
      access: 'open-to-network',
      trustedProxies: ['127.0.0.1'],
    });
    const { url } = await sessions.listen({ port: 0 });
    expect(url).toBe('https://mcp.example.com/mcp');
    const server = createServer(sessions.middleware).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(async () => void (await once(server.close(), 'close')));
    const { port } = server.address() as AddressInfo;
    await send(`http://127.0.0.1:${port}/mcp`, { headers: forwarded() });
    expect(warnings).toEqual([expect.stringContaining('proxy_set_header Host $host')]);
  });

  it.each([
    ['/api', true],
    ['/api/', true],
    ['/notes/', false],
  ])('about a proxy that strips a path which the public URL lacks: %s', async (prefix, isWarned) => {
    const { sessions, warnings } = deploy({
      publicUrl: 'https://mcp.example.com/notes',
      access: 'open-to-network',
    });
    const headers = { 'x-forwarded-prefix': prefix };
    await sessions.handleRequest(new Request('https://mcp.example.com/mcp', { headers }));
    expect(warnings).toEqual(isWarned ? [expect.stringContaining(`strips the path "${prefix}"`)] : []);
  });

  it('about refused hosts and origins, once each, with a short excerpt', async () => {
    const { origin, warnings } = await listening();
    const name = `${'a'.repeat(60)}.${'b'.repeat(60)}`;
    for (const host of [name, 'other.example.com']) await send(`${origin}/mcp`, { headers: { host } });
    for (const page of [`app://${'x'.repeat(4000)}`, 'null']) {
      await send(`${origin}/mcp`, { headers: { origin: page } });
    }
    expect(warnings).toEqual([
      expect.stringContaining('MCP_SESSIONS_ALLOWED_HOSTS'),
      expect.stringContaining('MCP_SESSIONS_ALLOWED_ORIGINS'),
    ]);
    for (const warning of warnings) expect(warning.length).toBeLessThan(600);
  });

  it('never about requests of local clients', async () => {
    const { origin, warnings } = await listening();
    const client = await connect2025(`${origin}/mcp`);
    await client.call('session_status');
    await initialize(`${origin}/mcp`, {
      headers: { origin, 'user-agent': 'test', traceparent: '00-1-1-01' },
    });
    expect(warnings).toEqual([]);
  });
});

/** A request as nginx sends it upstream, with the directives of its documentation only. */
function throughNginx(origin: string, body: string): Promise<string> {
  const { port, host } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.once('close', () => resolve(answer)).once('error', reject);
    const headers = Object.entries({ ...JSON_HEADERS, 'content-length': String(body.length) });
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.write(`POST /mcp HTTP/1.0\r\nHost: ${host}\r\nConnection: close\r\n${lines}\r\n${body}`);
  });
}

describe('a proxy on this machine that adds no header and rewrites Host', () => {
  it('does not make its clients local if it speaks HTTP/1.0, as nginx does', async () => {
    const { origin, warnings } = await listening();
    const answer = await throughNginx(origin, ORIGINAL_INITIALIZE);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(answer).toContain('through a proxy or tunnel');
    expect(warnings).toEqual([expect.stringContaining('HTTP/1.0')]);
  });
});

describe('a request over a Unix socket', () => {
  it('does not count as local, because it usually comes from a proxy', async () => {
    const { sessions } = deploy({ publicUrl: 'http://127.0.0.1:3000' });
    const requests: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      requests.push(request);
      sessions.middleware(request, response);
    });
    const path = `/tmp/mcp-sessions-test-${process.pid}.sock`;
    server.listen(path);
    await once(server, 'listening');
    onTestFinished(async () => void (await once(server.close(), 'close')));
    const socket = connect(path).setEncoding('utf8');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.end('GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    expect(requests).toHaveLength(1);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
  });
});

describe('web-standard requests of other runtimes', () => {
  it('are served with and without Host, as Deno and Bun create them', async () => {
    const { sessions } = deploy({ publicUrl: 'https://mcp.example.com', access: 'open-to-network' });
    const init = { method: 'POST', body: ORIGINAL_INITIALIZE };
    for (const headers of [JSON_HEADERS, { ...JSON_HEADERS, host: 'mcp.example.com' }]) {
      const response = await sessions.handleRequest(
        new Request('https://mcp.example.com/mcp', { ...init, headers }),
      );
      expect(response.status).toBe(200);
      await response.text();
    }
    const elsewhere = new Request('https://evil.example.com/mcp', { ...init, headers: JSON_HEADERS });
    expect((await sessions.handleRequest(elsewhere)).status).toBe(403);
  });
});
