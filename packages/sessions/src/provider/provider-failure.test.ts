import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import * as oidc from 'openid-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { failureOf } from './provider-failure.js';
import { TokenEndpointError } from './token-answers.js';

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  // Only a server on a pipe has an address of another kind.
  return (server.address() as AddressInfo).port;
}

/** A server that handles every connection in the same way. */
function connectionsTo(treat: (socket: Socket) => void): Promise<number> {
  return listening(
    createServer((socket) => {
      socket.on('error', () => undefined);
      treat(socket);
    }),
  );
}

function answering(listener: RequestListener): Promise<number> {
  return listening(createHttpServer(listener));
}

/** A port without a listener. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const PLACE = { provider: 'idp', step: 'token' } as const;

async function failing(call: Promise<unknown>) {
  const error = await call.then(
    () => new Error('It worked.'),
    (error: unknown) => error,
  );
  return failureOf(error, PLACE);
}

const post = (url: string) => fetch(url, { method: 'POST', body: new URLSearchParams({ a: 'b' }) });

describe('a connection that failed before the request', () => {
  it.each<[string, () => Promise<string>, object]>([
    [
      'refused',
      async () => `http://127.0.0.1:${await closedPort()}`,
      { reason: 'connection_failed', code: 'ECONNREFUSED' },
    ],
    [
      'refused under every address of a name',
      async () => `http://localhost:${await closedPort()}`,
      { reason: 'connection_failed', code: 'ECONNREFUSED' },
    ],
    [
      'to a port that `fetch` refuses',
      () => Promise.resolve('http://127.0.0.1:9'),
      { reason: 'connection_failed' },
    ],
    [
      'to a host that does not exist',
      async () => 'http://nowhere.invalid',
      { reason: 'name_not_resolved', code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) },
    ],
    [
      'over TLS to a port that speaks plain text',
      async () => `https://127.0.0.1:${await answering((_request, response) => response.end())}`,
      { reason: 'tls_failed' },
    ],
    [
      'over TLS, cut off while hands were shaken',
      async () => `https://127.0.0.1:${await cut()}`,
      { reason: 'tls_failed' },
    ],
    [
      'over TLS to a port that speaks nothing known',
      async () => `https://127.0.0.1:${await gibberish()}`,
      { reason: 'tls_failed' },
    ],
  ])(
    '%s: nothing was sent, so the request may be retried [security 20]',
    async (_what, addressOf, reason) => {
      expect(await failing(post(await addressOf()))).toMatchObject({ outcome: 'unavailable', ...reason });
    },
  );

  const cut = () => connectionsTo((socket) => socket.once('data', () => socket.end()));
  const gibberish = () => connectionsTo((socket) => void socket.end('SSH-2.0-example\r\n'));

  it.each([
    ['UND_ERR_CONNECT_TIMEOUT', 'connection_failed'],
    ['EMFILE', 'connection_failed'],
    ['ENETDOWN', 'connection_failed'],
    ['EADDRNOTAVAIL', 'connection_failed'],
    ['EHOSTUNREACH', 'connection_failed'],
    ['ENETUNREACH', 'connection_failed'],
    ['EAI_FAIL', 'name_not_resolved'],
    ['EAI_AGAIN', 'name_not_resolved'],
    ['CERT_HAS_EXPIRED', 'certificate_untrusted'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'certificate_untrusted'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'certificate_untrusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'certificate_untrusted'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificate_untrusted'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls_failed'],
  ])('with %s may be retried; its reason is %s [security 20]', (code, reason) => {
    const cause = Object.assign(new Error(code), { code });
    const failure = failureOf(new TypeError('fetch failed', { cause }), PLACE);
    expect(failure).toEqual({ ...PLACE, outcome: 'unavailable', reason, code });
  });

  const broken = (code: string, syscall: string) =>
    Object.assign(new Error(`${syscall} ${code}`), { code, syscall });

  it.each([
    ['ETIMEDOUT', 'connect', 'unavailable'],
    ['ECONNRESET', 'connect', 'unavailable'],
    ['EMFILE', 'connect', 'unavailable'],
    ['ESERVFAIL', 'getaddrinfo', 'unavailable'],
    ['ETIMEDOUT', 'read', 'lost'],
    ['EHOSTUNREACH', 'read', 'lost'],
    ['ENETDOWN', 'write', 'lost'],
  ])('is classified by its system call: %s of %s is %s [security 20]', (code, syscall, kind) => {
    const error = broken(code, syscall);
    expect(failureOf(new TypeError('fetch failed', { cause: error }), PLACE).outcome).toBe(kind);
    const all = new AggregateError([error, error], 'all failed');
    expect(failureOf(new TypeError('fetch failed', { cause: all }), PLACE).outcome).toBe(kind);
  });

  it('requires that every tried address failed so', () => {
    const error = (code: string) => Object.assign(new Error(code), { code });
    const both = (codes: string[]) => new AggregateError(codes.map(error), 'both failed');
    const kindOf = (codes: string[]) =>
      failureOf(new TypeError('fetch failed', { cause: both(codes) }), PLACE).outcome;
    expect(kindOf(['ECONNREFUSED', 'ENETUNREACH'])).toBe('unavailable');
    expect(kindOf(['ECONNREFUSED', 'ECONNRESET'])).toBe('lost');
  });
});

describe('a connection that broke after the request was sent', () => {
  it.each<[string, () => Promise<number>]>([
    ['by a reset', () => connectionsTo((socket) => socket.once('data', () => socket.resetAndDestroy()))],
    ['by a hang-up', () => connectionsTo((socket) => socket.once('data', () => socket.end()))],
    [
      'in the middle of the head',
      () => connectionsTo((socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-'))),
    ],
    [
      'by nonsense',
      () => connectionsTo((socket) => socket.once('data', () => socket.end('nonsense\r\n\r\n'))),
    ],
  ])('%s: the request may have been carried out [security 20]', async (_how, serve) => {
    expect(await failing(post(`http://127.0.0.1:${await serve()}`))).toMatchObject({ outcome: 'lost' });
  });

  it('in the middle of the body: the request may have been carried out [security 20]', async () => {
    const port = await answering((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{');
      response.once('drain', () => undefined);
      setImmediate(() => response.destroy());
    });
    const answer = post(`http://127.0.0.1:${port}`).then((response) => response.text());
    expect(await failing(answer)).toMatchObject({ outcome: 'lost' });
  });

  it('after a timeout: the request may have been carried out [security 20]', async () => {
    const port = await connectionsTo(() => undefined);
    const timeout = new AbortController();
    const answer = fetch(`http://127.0.0.1:${port}`, { signal: timeout.signal });
    timeout.abort(new DOMException('Too long.', 'TimeoutError'));
    expect(await failing(answer)).toMatchObject({ outcome: 'lost' });
    expect(failureOf(new DOMException('Enough.', 'AbortError'), PLACE).outcome).toBe('lost');
  });

  it.each(['TimeoutError', 'AbortError'])(
    'may have been carried out also where the library has wrapped that: %s [security 20]',
    async (name) => {
      const configuration = new oidc.Configuration(
        { issuer: 'https://id.test', revocation_endpoint: 'https://id.test/revocation' },
        'client',
      );
      configuration[oidc.customFetch] = () => Promise.reject(new DOMException('Too long.', name));
      expect(await failing(oidc.tokenRevocation(configuration, 'token'))).toMatchObject({ outcome: 'lost' });
    },
  );
});

describe('a response of a provider', () => {
  /** The error of openid-client for a response. */
  async function asked(answer: () => Response, ask: (configuration: oidc.Configuration) => Promise<unknown>) {
    const issuer = 'https://id.test';
    const configuration = new oidc.Configuration(
      {
        issuer,
        token_endpoint: `${issuer}/token`,
        revocation_endpoint: `${issuer}/revocation`,
        userinfo_endpoint: `${issuer}/userinfo`,
      },
      'client',
    );
    configuration[oidc.customFetch] = async () => answer();
    return failing(ask(configuration));
  }
  const revoke = (configuration: oidc.Configuration) => oidc.tokenRevocation(configuration, 'token');

  it.each<[string, () => Response, object]>([
    ['503', () => new Response(null, { status: 503 }), { outcome: 'unavailable' }],
    [
      '429 with Retry-After',
      () => new Response(null, { status: 429, headers: { 'retry-after': '7' } }),
      { outcome: 'unavailable', retryAfterSeconds: 7 },
    ],
    [
      'an OAuth error',
      () => Response.json({ error: 'invalid_client' }, { status: 401 }),
      { outcome: 'refused' },
    ],
    [
      'an OAuth error of a server that is busy',
      () => Response.json({ error: 'server_error' }, { status: 503 }),
      { outcome: 'unavailable' },
    ],
    ['a redirect', () => Response.redirect('https://elsewhere.test', 302), { outcome: 'refused' }],
    ['404', () => new Response('<h1>', { status: 404 }), { outcome: 'refused' }],
  ])('is classified if openid-client read it: %s', async (_what, answer, failure) => {
    expect(await asked(answer, revoke)).toMatchObject(failure);
  });

  it.each<[string, () => Response, string]>([
    ['500', () => new Response(null, { status: 500 }), 'unavailable'],
    ['404', () => new Response(null, { status: 404 }), 'refused'],
    ['HTML', () => new Response('<h1>', { headers: { 'content-type': 'text/html' } }), 'lost'],
    ['another issuer', () => Response.json({ issuer: 'https://other.test' }), 'refused'],
    ['no JSON', () => new Response('{', { headers: { 'content-type': 'application/json' } }), 'refused'],
  ])('to discovery is classified: %s', async (_what, answer, kind) => {
    const discovery = oidc.discovery(new URL('https://id.test'), 'client', undefined, undefined, {
      [oidc.customFetch]: async () => answer(),
    });
    expect((await failing(discovery)).outcome).toBe(kind);
  });

  it.each(['grant_revoked', 'unavailable', 'lost', 'refused'] as const)(
    'at the token endpoint is found however deep the library has put it: %s',
    async (outcome) => {
      const error = new TokenEndpointError(outcome, 'something', 7);
      const configuration = new oidc.Configuration(
        { issuer: 'https://id.test', token_endpoint: 'https://id.test/token' },
        'client',
      );
      configuration[oidc.customFetch] = () => Promise.reject(error);
      const refreshed = oidc.refreshTokenGrant(configuration, 'token');
      expect(await failing(refreshed)).toMatchObject({ outcome, retryAfterSeconds: 7 });
    },
  );

  it.each([
    ['access_denied', 'denied'],
    ['invalid_scope', 'refused'],
    ['temporarily_unavailable', 'refused'],
  ])('to the login is classified: %s is %s', async (error, kind) => {
    const configuration = new oidc.Configuration({ issuer: 'https://id.test' }, 'client');
    const callback = new URL(`https://mcp.test/callback?error=${error}`);
    expect((await failing(oidc.authorizationCodeGrant(configuration, callback))).outcome).toBe(kind);
  });
});

describe('an unexpected error', () => {
  it('counts as lost, because the request may have been carried out [security 20]', () => {
    expect(failureOf(new Error('?'), PLACE).outcome).toBe('lost');
    expect(failureOf('?', PLACE).outcome).toBe('lost');
  });
});
