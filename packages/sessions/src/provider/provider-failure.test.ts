import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import * as oidc from 'openid-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { providerFailure } from './provider-failure.js';
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

async function failureOf(call: Promise<unknown>) {
  const error = await call.then(
    () => new Error('It worked.'),
    (error: unknown) => error,
  );
  return providerFailure(error);
}

const post = (url: string) => fetch(url, { method: 'POST', body: new URLSearchParams({ a: 'b' }) });

describe('a connection that failed before the request', () => {
  it.each<[string, () => Promise<string>]>([
    ['refused', async () => `http://127.0.0.1:${await closedPort()}`],
    ['refused under every address of a name', async () => `http://localhost:${await closedPort()}`],
    ['to a host that does not exist', async () => 'http://nowhere.invalid'],
    [
      'over TLS to a port that speaks plain text',
      async () => `https://127.0.0.1:${await answering((_request, response) => response.end())}`,
    ],
    ['over TLS, cut off while hands were shaken', async () => `https://127.0.0.1:${await cut()}`],
    ['over TLS to a port that speaks nothing known', async () => `https://127.0.0.1:${await gibberish()}`],
  ])('%s: nothing was sent, so the request may be retried [security 20]', async (_what, addressOf) => {
    expect(await failureOf(post(await addressOf()))).toEqual({
      kind: 'unavailable',
      retryAfterSeconds: undefined,
    });
  });

  const cut = () => connectionsTo((socket) => socket.once('data', () => socket.end()));
  const gibberish = () => connectionsTo((socket) => void socket.end('SSH-2.0-example\r\n'));

  it.each([
    'UND_ERR_CONNECT_TIMEOUT',
    'EMFILE',
    'ENETDOWN',
    'EADDRNOTAVAIL',
    'EAI_FAIL',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'EAI_AGAIN',
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ])('with %s may be retried [security 20]', (code) => {
    const cause = Object.assign(new Error(code), { code });
    expect(providerFailure(new TypeError('fetch failed', { cause })).kind).toBe('unavailable');
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
    expect(providerFailure(new TypeError('fetch failed', { cause: error })).kind).toBe(kind);
    const all = new AggregateError([error, error], 'all failed');
    expect(providerFailure(new TypeError('fetch failed', { cause: all })).kind).toBe(kind);
  });

  it('requires that every tried address failed so', () => {
    const error = (code: string) => Object.assign(new Error(code), { code });
    const both = (codes: string[]) => new AggregateError(codes.map(error), 'both failed');
    const kindOf = (codes: string[]) =>
      providerFailure(new TypeError('fetch failed', { cause: both(codes) })).kind;
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
    expect(await failureOf(post(`http://127.0.0.1:${await serve()}`))).toMatchObject({ kind: 'lost' });
  });

  it('in the middle of the body: the request may have been carried out [security 20]', async () => {
    const port = await answering((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{');
      response.once('drain', () => undefined);
      setImmediate(() => response.destroy());
    });
    const answer = post(`http://127.0.0.1:${port}`).then((response) => response.text());
    expect(await failureOf(answer)).toMatchObject({ kind: 'lost' });
  });

  it('after a timeout: the request may have been carried out [security 20]', async () => {
    const port = await connectionsTo(() => undefined);
    const timeout = new AbortController();
    const answer = fetch(`http://127.0.0.1:${port}`, { signal: timeout.signal });
    timeout.abort(new DOMException('Too long.', 'TimeoutError'));
    expect(await failureOf(answer)).toMatchObject({ kind: 'lost' });
    expect(providerFailure(new DOMException('Enough.', 'AbortError')).kind).toBe('lost');
  });

  it.each(['TimeoutError', 'AbortError'])(
    'may have been carried out also where the library has wrapped that: %s [security 20]',
    async (name) => {
      const configuration = new oidc.Configuration(
        { issuer: 'https://id.test', revocation_endpoint: 'https://id.test/revocation' },
        'client',
      );
      configuration[oidc.customFetch] = () => Promise.reject(new DOMException('Too long.', name));
      expect(await failureOf(oidc.tokenRevocation(configuration, 'token'))).toMatchObject({ kind: 'lost' });
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
    return failureOf(ask(configuration));
  }
  const revoke = (configuration: oidc.Configuration) => oidc.tokenRevocation(configuration, 'token');

  it.each<[string, () => Response, object]>([
    ['503', () => new Response(null, { status: 503 }), { kind: 'unavailable' }],
    [
      '429 with Retry-After',
      () => new Response(null, { status: 429, headers: { 'retry-after': '7' } }),
      { kind: 'unavailable', retryAfterSeconds: 7 },
    ],
    [
      'an OAuth error',
      () => Response.json({ error: 'invalid_client' }, { status: 401 }),
      { kind: 'refused' },
    ],
    [
      'an OAuth error of a server that is busy',
      () => Response.json({ error: 'server_error' }, { status: 503 }),
      { kind: 'unavailable' },
    ],
    ['a redirect', () => Response.redirect('https://elsewhere.test', 302), { kind: 'refused' }],
    ['404', () => new Response('<h1>', { status: 404 }), { kind: 'refused' }],
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
    expect((await failureOf(discovery)).kind).toBe(kind);
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
      expect(await failureOf(refreshed)).toEqual({ kind: outcome, retryAfterSeconds: 7 });
    },
  );

  it.each([
    ['access_denied', 'denied'],
    ['invalid_scope', 'refused'],
    ['temporarily_unavailable', 'refused'],
  ])('to the login is classified: %s is %s', async (error, kind) => {
    const configuration = new oidc.Configuration({ issuer: 'https://id.test' }, 'client');
    const callback = new URL(`https://mcp.test/callback?error=${error}`);
    expect((await failureOf(oidc.authorizationCodeGrant(configuration, callback))).kind).toBe(kind);
  });
});

describe('an unexpected error', () => {
  it('counts as lost, because the request may have been carried out [security 20]', () => {
    expect(providerFailure(new Error('?')).kind).toBe('lost');
    expect(providerFailure('?').kind).toBe('lost');
  });
});
