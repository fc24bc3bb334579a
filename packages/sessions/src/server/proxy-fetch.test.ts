import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startConnectProxy } from '../../../../test/support/connect-proxy.js';
import { failureOf } from '../provider/provider-failure.js';
import { settingFor } from '../session/provider-failures.js';
import { environmentFetch, proxyFor } from './proxy-fetch.js';

const PLACE = { provider: 'idp', step: 'discovery' } as const;

/** A server on this machine. @returns its port */
async function serve(): Promise<number> {
  const server = createServer(({ headers }, response) => response.end(`served ${headers.host}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  // The address of a listening TCP server is an AddressInfo.
  return (server.address() as AddressInfo).port;
}

async function startProxy(refusal?: number) {
  const port = await serve();
  const proxy = await startConnectProxy(() => (refusal === undefined ? port : { refusal }));
  onTestFinished(() => proxy.close());
  return { ...proxy, port };
}

async function failed(request: Promise<unknown>) {
  const error = await request.then(
    () => new Error('It worked.'),
    (error: unknown) => error,
  );
  return failureOf(error, PLACE);
}

describe('the default fetch', () => {
  it('is the global one without a proxy', () => {
    expect(environmentFetch({ NO_PROXY: '*', HTTPS_PROXY: '', PATH: '/bin' })).toBe(globalThis.fetch);
  });

  it.each(['HTTP_PROXY', 'http_proxy'])('goes through the proxy that %s names', async (name) => {
    const { url, requested } = await startProxy();
    const response = await environmentFetch({ [name]: url })('http://id.example.test/x');
    expect(response).toBeInstanceOf(Response);
    expect(await response.text()).toBe('served id.example.test');
    expect(requested).toEqual(['id.example.test:80']);
  });

  it('goes through the proxy of HTTPS_PROXY, whose lower-case name counts first', async () => {
    const { url, requested } = await startProxy();
    const request = environmentFetch({ https_proxy: url, HTTPS_PROXY: 'http://127.0.0.1:9' });
    // The server behind the proxy speaks plain text.
    expect(await failed(request('https://id.example.test/x'))).toMatchObject({ reason: 'tls_failed' });
    expect(requested).toEqual(['id.example.test:443']);
  });

  it('goes directly to the hosts in NO_PROXY and below them', async () => {
    const { url, requested } = await startProxy();
    const request = environmentFetch({ HTTP_PROXY: url, NO_PROXY: 'internal.test other.test' });
    for (const host of ['internal.test', 'id.internal.test'])
      expect(await failed(request(`http://${host}/`))).toMatchObject({ reason: 'name_not_resolved' });
    expect(requested).toEqual([]);
    expect(await (await request('http://not-internal.test/')).text()).toBe('served not-internal.test');
    expect(requested).toEqual(['not-internal.test:80']);
  });

  it('goes directly to this machine', async () => {
    const { url, port, requested } = await startProxy();
    const request = environmentFetch({ HTTP_PROXY: url, HTTPS_PROXY: url });
    for (const address of [`http://127.0.0.1:${port}/`, new Request(`http://localhost:${port}/`)])
      expect(await (await request(address)).text()).toContain('served');
    expect(requested).toEqual([]);
  });

  it('sends nothing through a proxy that is down or refuses, and the setting is named [security 20]', async () => {
    const refusing = await startProxy(407);
    const requests = [
      [{ HTTPS_PROXY: 'http://127.0.0.1:9' }, { code: 'ECONNREFUSED' }],
      [{ HTTPS_PROXY: refusing.url }, { status: 407 }],
    ] as const;
    for (const [environment, found] of requests) {
      const failure = await failed(environmentFetch(environment)('https://id.example.test/x'));
      expect(failure).toMatchObject({ reason: 'connection_failed', outcome: 'unavailable', ...found });
      expect(settingFor(failure)).toContain('HTTPS_PROXY');
    }
  });

  it.each(['', 'user:pass@'])(
    'goes through a proxy of %jhost:port, without a scheme, over http',
    async (user) => {
      const { port, requested, url } = await startProxy();
      const { host } = new URL(url);
      const response = await environmentFetch({ HTTP_PROXY: `${user}${host}` })('http://id.example.test/x');
      expect(await response.text()).toBe('served id.example.test');
      expect(requested).toEqual(['id.example.test:80']);
      expect(port).not.toBe(80);
    },
  );

  it.each([
    'socks5://user:pass@proxy',
    'socks5://proxy:1080',
    '//proxy:3128',
    'nonsense',
    'proxy:port',
    'a b:80',
  ])('refuses the proxy %j without repeating it, because it may contain a password', (value) => {
    for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'https_proxy', 'http_proxy']) {
      const start = () => environmentFetch({ [name]: value });
      expect(start).toThrow(expect.objectContaining({ code: 'configuration' }));
      expect(start).toThrow(
        `${name} must be an http or https URL, such as http://proxy.example.com:3128, or a host and a port, such as proxy.example.com:3128.`,
      );
    }
  });
});

describe('the name of the proxy', () => {
  const HTTPS_PROXY = 'http://user:canary@proxy.test:3128';

  it.each<[string, NodeJS.ProcessEnv, string | undefined]>([
    ['https://id.example.test', { HTTPS_PROXY }, 'proxy.test:3128 (HTTPS_PROXY)'],
    ['https://id.example.test', { HTTP_PROXY: HTTPS_PROXY }, 'proxy.test:3128 (HTTP_PROXY)'],
    ['https://id.example.test', { HTTPS_PROXY: 'proxy.test:3128' }, 'proxy.test:3128 (HTTPS_PROXY)'],
    ['https://id.example.test', { HTTPS_PROXY: 'user:canary@proxy:80' }, 'proxy (HTTPS_PROXY)'],
    ['https://id.example.test', { HTTPS_PROXY: '[::1]:3128' }, '[::1]:3128 (HTTPS_PROXY)'],
    ['http://id.example.test', { HTTPS_PROXY }, undefined],
    ['https://127.0.0.1', { HTTPS_PROXY }, undefined],
    ['https://localhost', { HTTPS_PROXY }, undefined],
    ['https://id.example.test', {}, undefined],
    ['https://id.example.test', { HTTPS_PROXY, NO_PROXY: 'a.test, example.test' }, undefined],
    ['https://id.example.test', { HTTPS_PROXY, NO_PROXY: '*' }, undefined],
    ['https://id.example.test', { HTTPS_PROXY, no_proxy: '*.example.test' }, undefined],
    ['https://id.example.test', { HTTPS_PROXY, NO_PROXY: 'id.example.test:443' }, undefined],
    [
      'https://id.example.test',
      { HTTPS_PROXY, NO_PROXY: 'id.example.test:80' },
      'proxy.test:3128 (HTTPS_PROXY)',
    ],
    ['https://id.example.test', { HTTPS_PROXY, NO_PROXY: 'ample.test' }, 'proxy.test:3128 (HTTPS_PROXY)'],
  ])('is without credentials: %s %j', (url, environment, expected) => {
    expect(proxyFor(new URL(url), environment)).toBe(expected);
  });
});
