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
  const incoming = { socket: { remoteAddress, localAddress } } as IncomingMessage;
  return { url: requestUrl(headers.host), headers: new Headers(headers), incoming };
}

/** As Node's adapter puts it together. */
function requestUrl(host = ''): string {
  return URL.canParse(`http://${host}/mcp`) ? `http://${host}/mcp` : 'http://localhost/mcp';
}

describe('the guards', () => {
  it('let in who addresses the server by its own name [security 43]', () => {
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

  it('refuse a name that merely resolves to loopback [security 43]', () => {
    const guards = guardsAt('http://127.0.0.1:3000');
    expect(guards.allowsHost(from('127.0.0.1', { host: 'rebound.example.com:3000' }))).toBe(false);
    for (const host of ['127.0.0.1:3000', 'localhost:3000', '[::1]:3000']) {
      expect(guards.allowsHost(from('127.0.0.1', { host }))).toBe(true);
    }
  });

  it('refuse a request whose address and Host header differ [security 43]', () => {
    const request = from('127.0.0.1', { host: '127.0.0.1:3000' });
    const url = 'http://evil.example.com/healthz';
    expect(guardsAt('http://127.0.0.1:3000').allowsHost({ ...request, url })).toBe(false);
  });

  it('refuse pages of other origins, and of none [security 43, 44]', () => {
    const guards = guardsAt('https://mcp.example.com', { allowedOrigins: ['https://app.example.com'] });
    expect(guards.allowsOrigin(undefined)).toBe(true);
    expect(guards.allowsOrigin('https://mcp.example.com')).toBe(true);
    expect(guards.allowsOrigin('https://app.example.com')).toBe(true);
    const others = ['null', 'http://mcp.example.com', 'https://evil.org', 'http://localhost:6274', 'x'];
    for (const origin of others) expect(guards.allowsOrigin(origin)).toBe(false);
  });

  it.each([
    ['a plain local request', '127.0.0.1', { host: '127.0.0.1:3000' }, true],
    ['one over IPv6', '::1', { host: '[::1]:3000' }, true],
    [
      'one that a proxy forwarded',
      '127.0.0.1',
      { host: '127.0.0.1:3000', 'x-forwarded-for': '1.2.3.4' },
      false,
    ],
    ['one that a tunnel forwarded', '127.0.0.1', { host: '127.0.0.1:3000', forwarded: 'for=1.2.3.4' }, false],
    ['one under a public name', '127.0.0.1', { host: 'mcp.example.com' }, false],
    ['one from the network', '10.0.0.1', { host: '127.0.0.1:3000' }, false],
  ])('know whether a request is local: %s', (_what, address, headers, expected) => {
    expect(guardsAt('http://127.0.0.1:3000').isLoopback(from(address, headers))).toBe(expected);
  });

  it('never take a server with a public URL for local', () => {
    const request = from('127.0.0.1', { host: '127.0.0.1:3000' });
    expect(guardsAt('https://mcp.example.com').isLoopback(request)).toBe(false);
  });

  it('take a form only from their own page [security 11]', () => {
    const guards = guardsAt('https://mcp.example.com');
    const own = { origin: 'https://mcp.example.com', 'sec-fetch-site': 'same-origin' };
    expect(guards.isOwnPage(new Headers(own))).toBe(true);
    expect(guards.isOwnPage(new Headers({ ...own, 'sec-fetch-site': 'cross-site' }))).toBe(false);
    expect(guards.isOwnPage(new Headers({ origin: 'https://evil.org' }))).toBe(false);
    expect(guards.isOwnPage(new Headers())).toBe(false);
  });
});
