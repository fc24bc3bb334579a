import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { AuthorizationServer } from './authorization-server.js';
import { providerSettings } from './provider-settings.js';

const OAUTH = '/.well-known/oauth-authorization-server';
const OIDC = '/.well-known/openid-configuration';
const KEYS = { keys: [{ kty: 'EC', kid: 'first' }] };
const REGISTRATION = { clientId: 'mcp server', clientSecret: 'a:secret' };

interface Asked {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly form: URLSearchParams;
}

let http: Server;
let issuer: string;
/** Responses by path; other paths respond 404. */
let answers: Record<string, { readonly status?: number; readonly json?: unknown; readonly text?: string }>;
let asked: Asked[];

beforeEach(async () => {
  answers = {};
  asked = [];
  http = createServer(async (request, response) => {
    const { url: path = '/', headers } = request;
    asked.push({
      path,
      authorization: headers.authorization,
      form: new URLSearchParams(await text(request)),
    });
    const {
      status = 200,
      json,
      text: body = JSON.stringify(json),
    } = answers[path] ?? { status: 404, json: {} };
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body);
  });
  await listen();
  answers[OAUTH] = { json: metadata() };
});

afterEach(() => close());

async function listen(port = 0): Promise<void> {
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  // Only a server on a pipe has an address of another kind.
  issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

async function close(): Promise<void> {
  const closed = new Promise<void>((resolve) => http.close(() => resolve()));
  http.closeAllConnections();
  await closed;
}

/** The metadata of an authorization server without OpenID Connect and PKCE. */
function metadata(): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    response_types_supported: ['code'],
    jwks_uri: `${issuer}/jwks`,
    introspection_endpoint: `${issuer}/introspect`,
  };
}

function serverOf(registration = REGISTRATION) {
  const clock = new VirtualClock();
  return {
    clock,
    server: new AuthorizationServer({
      settings: providerSettings({ issuer, pkce: 'S256', ...registration }),
      clock,
      fetch,
      report: () => undefined,
    }),
  };
}

async function introspect(token = 'token'): Promise<unknown> {
  return serverOf().server.introspect(token);
}

describe('an authorization server', () => {
  it.each([OAUTH, OIDC])('publishes the address of its keys under %s, and the keys there', async (path) => {
    answers = { [path]: { json: metadata() } };
    answers['/jwks'] = { json: KEYS };
    expect(await serverOf().server.requestKeys()).toEqual(KEYS);
  });

  it('is discovered once', async () => {
    const { server } = serverOf();
    await Promise.all([server.metadata(), server.metadata()]);
    await server.metadata();
    expect(asked.filter(({ path }) => path === OAUTH)).toHaveLength(1);
  });

  it('without keys is refused with advice to the operator', async () => {
    answers[OAUTH] = { json: { ...metadata(), jwks_uri: undefined } };
    await expect(serverOf().server.requestKeys()).rejects.toMatchObject({
      code: 'provider_refused',
      message: expect.stringMatching(/has no endpoint for this request\. Ask the operator/),
    });
  });

  it('with another issuer in its metadata is refused', async () => {
    answers[OAUTH] = { json: { ...metadata(), issuer: 'https://other.test' } };
    await expect(serverOf().server.metadata()).rejects.toMatchObject({ code: 'provider_refused' });
  });

  it('that is unavailable is discovered again after two seconds', async () => {
    const { clock, server } = serverOf();
    const port = Number(new URL(issuer).port);
    await close();
    await expect(server.metadata()).rejects.toMatchObject({
      code: 'provider_unavailable',
      retryAfterSeconds: 60,
    });
    await listen(port);
    await clock.advance(2000);
    expect(await server.metadata()).toMatchObject({ jwks_uri: `${issuer}/jwks` });
  });
});

describe('introspection', () => {
  it('returns the response to a request with this server’s credentials (RFC 7662)', async () => {
    answers['/introspect'] = { json: { active: true, sub: 'alice', aud: 'resource' } };
    expect(await introspect('a token')).toMatchObject({ active: true, sub: 'alice', aud: 'resource' });
    const request = asked.find(({ path }) => path === '/introspect');
    expect(request?.form.get('token')).toBe('a token');
    const [scheme, pair = ''] = request?.authorization?.split(' ') ?? [];
    const [id, secret] = Buffer.from(pair, 'base64').toString().split(':');
    expect([scheme, ...[id, secret].map((part = '') => new URLSearchParams(`v=${part}`).get('v'))]).toEqual([
      'Basic',
      REGISTRATION.clientId,
      REGISTRATION.clientSecret,
    ]);
  });

  it('returns that a token is not active', async () => {
    answers['/introspect'] = { json: { active: false } };
    expect(await introspect()).toMatchObject({ active: false });
  });

  it.each([500, 503, 429])('with the response %i may be retried', async (status) => {
    answers['/introspect'] = { status, json: {} };
    await expect(introspect()).rejects.toMatchObject({
      code: 'provider_unavailable',
      message: expect.stringMatching(/Try again/),
      retryAfterSeconds: 60,
    });
  });

  it('with a broken connection may be retried', async () => {
    answers['/introspect'] = { json: { active: true } };
    const { server } = serverOf();
    await server.metadata();
    await close();
    const failed = server.introspect('token');
    await expect(failed).rejects.toMatchObject({ code: 'provider_unavailable' });
    await listen();
  });

  it.each([401, 403, 400])('with the response %i needs the operator', async (status) => {
    answers['/introspect'] = { status, json: { error: 'invalid_client' } };
    await expect(introspect()).rejects.toMatchObject({
      code: 'provider_refused',
      message: expect.stringMatching(/rejected the introspection.*operator/),
    });
  });

  it('without an introspection endpoint needs the operator', async () => {
    answers[OAUTH] = { json: { ...metadata(), introspection_endpoint: undefined } };
    await expect(introspect()).rejects.toMatchObject({ code: 'provider_refused' });
  });

  it.each<[what: string, answer: { json?: unknown; text?: string }]>([
    ['no JSON', { text: '<html>' }],
    ['nothing about being active', { json: { sub: 'alice' } }],
    ['activity in words only', { json: { active: 'true' } }],
  ])('with the response %s does not reject the token', async (_what, answer) => {
    answers['/introspect'] = answer;
    await expect(introspect()).rejects.toMatchObject({
      code: expect.stringMatching(/^provider_(unavailable|refused)$/),
    });
  });
});
