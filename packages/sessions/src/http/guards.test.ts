import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { Guards } from './guards.js';

function guardsAt(publicUrl: string, options = {}) {
  return new Guards({
    publicUrl: () => new URL(publicUrl),
    allowedHosts: [],
    allowedOrigins: [],
    ...options,
  });
}

/** As much of a connection as the guards look at; a real one cannot come from another machine here. */
function from(remoteAddress: string, headers: Record<string, string>, localAddress = remoteAddress) {
  const incoming = { socket: { remoteAddress, localAddress }, headers: {}, url: '/mcp' } as IncomingMessage;
  return { url: requestUrl(headers.host), headers: new Headers(headers), incoming };
}

/** As Node's adapter puts it together. */
function requestUrl(host = ''): string {
  return URL.canParse(`http://${host}/mcp`) ? `http://${host}/mcp` : 'http://localhost/mcp';
}

describe('the guards', () => {
  it('accept requests to the name of the server [security 43]', () => {
    const guards = guardsAt('https://mcp.example.com', { allowedHosts: ['internal.example.com'] });
    const hosts = ['mcp.example.com', 'mcp.example.com:443', 'internal.example.com'];
    for (const host of hosts) expect(guards.allowsHost(from('10.0.0.1', { host }))).toBe(true);
  });

  it.each(['evil.example.com', 'localhost', '127.0.0.1', 'mcp.example.com.evil.org', 'a b', ''])(
    'refuse the host %j of a public server from outside [security 43]',
    (host) => {
      expect(guardsAt('https://mcp.example.com').allowsHost(from('10.0.0.1', { host }))).toBe(false);
    },
  );

  it('refuse another name that resolves to loopback [security 43]', () => {
    const guards = guardsAt('http://127.0.0.1:3000');
    expect(guards.allowsHost(from('127.0.0.1', { host: 'rebound.example.com:3000' }))).toBe(false);
    for (const host of ['127.0.0.1:3000', 'localhost:3000', '[::1]:3000']) {
      expect(guards.allowsHost(from('127.0.0.1', { host }))).toBe(true);
    }
  });

  it('refuse a request whose address and Host header differ [security 43]', () => {
    const guards = guardsAt('http://127.0.0.1:3000');
    for (const url of ['http://evil.example.com/mcp', 'HTTP://evil.example.com']) {
      const { incoming, ...request } = from('127.0.0.1', { host: '127.0.0.1:3000' });
      expect(guards.allowsHost({ ...request, incoming: { ...incoming, url } as IncomingMessage })).toBe(
        false,
      );
    }
    const { incoming, ...request } = from('127.0.0.1', { host: '127.0.0.1:3000' });
    const headers: IncomingMessage['headers'] = { ':authority': 'evil.example.com' };
    expect(guards.allowsHost({ ...request, incoming: { ...incoming, headers } as IncomingMessage })).toBe(
      false,
    );
  });

  it('refuse pages of other origins, and of the origin null [security 43, 44]', () => {
    const guards = guardsAt('https://mcp.example.com', { allowedOrigins: ['https://app.example.com'] });
    const allows = (origin?: string) =>
      guards.allowsOrigin(
        from('10.0.0.1', { host: 'mcp.example.com', ...(origin !== undefined && { origin }) }),
      );
    for (const origin of [undefined, 'https://mcp.example.com', 'https://app.example.com']) {
      expect(allows(origin)).toBe(true);
    }
    const others = ['null', 'http://mcp.example.com', 'https://evil.org', 'http://localhost:6274', 'x'];
    for (const origin of others) expect(allows(origin)).toBe(false);
  });

  it('refuse pages of other ports and names of this machine [security 43]', () => {
    const guards = guardsAt('http://127.0.0.1:3000');
    const allows = (host: string, origin: string) => guards.allowsOrigin(from('127.0.0.1', { host, origin }));
    expect(allows('127.0.0.1:3000', 'http://127.0.0.1:3000')).toBe(true);
    expect(allows('localhost:3000', 'http://localhost:3000')).toBe(true);
    const others = [
      ...['http://127.0.0.1:5173', 'http://localhost:6274', 'http://localhost', 'http://[::1]:3000'],
      ...['http://localhost:3000', 'https://127.0.0.1:3000', 'http://127.0.0.1', 'null', 'x'],
    ];
    for (const origin of others) expect(allows('127.0.0.1:3000', origin)).toBe(false);
  });

  it.each([
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    'vscode-webview://1a2b3c',
    'app://obsidian.md',
    'http://localhost:6274',
  ])('accept the origin %s if it is listed, but no similar one [security 43, 44]', (origin) => {
    const guards = guardsAt('http://127.0.0.1:3000', { allowedOrigins: [origin] });
    const allows = (given: string) =>
      guards.allowsOrigin(from('127.0.0.1', { host: '127.0.0.1:3000', origin: given }));
    expect(allows(origin)).toBe(true);
    for (const other of [`${origin}x`, `x${origin}`, `${origin}/`, origin.toUpperCase()]) {
      expect(allows(other)).toBe(false);
    }
  });

  it.each([
    ['MCP.Example.COM', true],
    ['mcp.example.com.', true],
    ['mcp.example.com:8443', true],
    ['mcp.example.com:', true],
    ['mcp.example.com..', false],
    ['user@mcp.example.com', false],
    ['mcp.example.com/path', false],
    ['mcp.example.com?x', false],
    ['mcp.example.com, evil.example.com', false],
  ])('parse the host %j as HTTP does [security 43]', (host, expected) => {
    const request = { url: 'http://localhost/mcp', headers: new Headers({ host }), incoming: undefined };
    expect(guardsAt('https://mcp.example.com').allowsHost(request)).toBe(expected);
    expect(guardsAt('https://mcp.example.com').allowsHost(from('10.0.0.1', { host }))).toBe(expected);
  });

  it('use the Host header if a framework writes another host into the URL [security 43]', () => {
    const url = 'https://localhost:3000/mcp';
    const allows = (host: string) =>
      guardsAt('https://mcp.example.com').allowsHost({
        url,
        headers: new Headers({ host }),
        incoming: undefined,
      });
    expect(allows('mcp.example.com')).toBe(true);
    for (const host of ['evil.example.com', 'localhost:3000']) expect(allows(host)).toBe(false);
  });

  it('use the URL if there is no Host header', () => {
    const request = { headers: new Headers(), incoming: undefined };
    const guards = guardsAt('https://mcp.example.com');
    expect(guards.allowsHost({ ...request, url: 'https://mcp.example.com/mcp' })).toBe(true);
    expect(guards.allowsHost({ ...request, url: 'https://evil.example.com/mcp' })).toBe(false);
  });

  it.each([
    ...['via', 'x-real-ip', 'cf-connecting-ip', 'true-client-ip', 'x-forwarded-host', 'x-forwarded-proto'],
    ...[
      'x-client-ip',
      'x-cluster-client-ip',
      'x-peer-ip',
      'fastly-client-ip',
      'fly-client-ip',
      'x-envoy-external-address',
    ],
    ...[
      'x-forwarded',
      'forwarded-for',
      'x-remote-addr',
      'x-originating-ip',
      'wl-proxy-client-ip',
      'cdn-loop',
    ],
    ...['tailscale-user-login', 'x-azure-clientip', 'x-appengine-user-ip', 'x-nf-client-connection-ip'],
    ...[
      'x-original-host',
      'x-proxyuser-ip',
      'client-ip',
      'x-vercel-forwarded-for',
      'ngrok-skip-browser-warning',
    ],
    ...[
      'x_forwarded_for',
      'http-x-forwarded-for',
      'HTTP_X_FORWARDED_FOR',
      'x_real_ip',
      'x-varnish',
      'x-scheme',
    ],
    ...[
      'front-end-https',
      'proxy-connection',
      'x-ms-proxy',
      'x-tunnel-authorization',
      'x-pomerium-jwt-assertion',
      'x-goog-iap-jwt-assertion',
    ],
  ])('do not treat a request with the header %s as local', (header) => {
    const request = from('127.0.0.1', { host: '127.0.0.1:3000', [header]: '192.0.2.1' });
    expect(guardsAt('http://127.0.0.1:3000').requestOrigin(request)).toBe('remote');
  });

  it('treat requests with the headers of clients and browsers as local', () => {
    const names = [
      ...['accept', 'accept-language', 'authorization', 'connection', 'content-length', 'cookie', 'dnt'],
      ...['last-event-id', 'mcp-method', 'mcp-name', 'mcp-protocol-version', 'mcp-session-id', 'origin'],
      ...['mcp-param-remote-host', 'mcp-param-user-port', 'mcp-param-client-ip'],
      ...[
        'priority',
        'referer',
        'sec-ch-ua',
        'sec-ch-ua-platform',
        'sec-fetch-site',
        'traceparent',
        'user-agent',
      ],
      ...['x-api-key', 'x-client-name', 'x-client-version', 'x-request-id', 'x-requested-with', 'x-user-id'],
    ];
    const headers = Object.fromEntries(names.map((name) => [name, 'x']));
    const request = from('127.0.0.1', { ...headers, host: '127.0.0.1:3000' });
    expect(guardsAt('http://127.0.0.1:3000').requestOrigin(request)).toBe('local');
  });

  it('do not treat a request over HTTP/1.0 as local: nginx adds nothing else by default', () => {
    const { incoming, ...request } = from('127.0.0.1', { host: '127.0.0.1:3000' });
    const old = { ...incoming, httpVersion: '1.0' } as IncomingMessage;
    expect(guardsAt('http://127.0.0.1:3000').requestOrigin({ ...request, incoming: old })).toBe('remote');
    expect(guardsAt('http://127.0.0.1:3000').requestOrigin({ ...request, incoming })).toBe('local');
  });

  it.each([
    ['a plain local request', '127.0.0.1', { host: '127.0.0.1:3000' }, 'local'],
    ['one over IPv6', '::1', { host: '[::1]:3000' }, 'local'],
    [
      'one that a proxy forwarded',
      '127.0.0.1',
      { host: '127.0.0.1:3000', 'x-forwarded-for': '1.2.3.4' },
      'remote',
    ],
    [
      'one that a tunnel forwarded',
      '127.0.0.1',
      { host: '127.0.0.1:3000', forwarded: 'for=1.2.3.4' },
      'remote',
    ],
    ['one under a public name', '127.0.0.1', { host: 'mcp.example.com' }, 'remote'],
    ['one from the network', '10.0.0.1', { host: '127.0.0.1:3000' }, 'remote'],
  ])('find out whether a request is local: %s', (_what, address, headers, expected) => {
    expect(guardsAt('http://127.0.0.1:3000').requestOrigin(from(address, headers))).toBe(expected);
  });

  it('report an unknown origin without a connection, unless the request is remote', () => {
    const request = { url: 'http://127.0.0.1:3000/mcp', headers: new Headers(), incoming: undefined };
    expect(guardsAt('http://127.0.0.1:3000').requestOrigin(request)).toBe('unknown');
    const forwarded = { ...request, headers: new Headers({ via: '1.1 proxy' }) };
    expect(guardsAt('http://127.0.0.1:3000').requestOrigin(forwarded)).toBe('remote');
    expect(guardsAt('https://mcp.example.com').requestOrigin(request)).toBe('remote');
  });

  it('treat requests to a server with a public host name as remote', () => {
    const request = from('127.0.0.1', { host: '127.0.0.1:3000' });
    expect(guardsAt('https://mcp.example.com').requestOrigin(request)).toBe('remote');
  });

  it('accept a form only from a page of the server [security 11]', () => {
    const guards = guardsAt('https://mcp.example.com');
    const own = { origin: 'https://mcp.example.com', 'sec-fetch-site': 'same-origin' };
    expect(guards.isOwnPage(new Headers(own))).toBe(true);
    expect(guards.isOwnPage(new Headers({ ...own, 'sec-fetch-site': 'cross-site' }))).toBe(false);
    expect(guards.isOwnPage(new Headers({ origin: 'https://evil.org' }))).toBe(false);
    expect(guards.isOwnPage(new Headers())).toBe(false);
  });
});
