import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import * as oidc from 'openid-client';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { ProviderConnection } from './provider-connection.js';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const SECOND = 1000;
const ISSUER = 'https://id.test';
const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  revocation_endpoint: `${ISSUER}/revocation`,
  code_challenge_methods_supported: ['S256'],
};

type Answer = (path: string, init: RequestInit | undefined) => Response | Promise<Response>;

function setUp(answer: Answer, options: Partial<ProviderOptions> = {}) {
  const clock = new VirtualClock();
  const requests: { path: string; signal: AbortSignal | undefined; redirect: string | undefined }[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { pathname: path } = new URL(String(input));
    requests.push({ path, signal: init?.signal ?? undefined, redirect: init?.redirect });
    return answer(path, init);
  };
  const settings = providerSettings({ name: 'idp', issuer: ISSUER, clientId: 'client', ...options });
  return { clock, requests, connection: new ProviderConnection(settings, clock, fetch) };
}

const discovered: Answer = (path, init) =>
  path.startsWith('/.well-known/') ? Response.json(METADATA) : hanging(path, init);

/** A fetch that never responds, and rejects when its signal aborts. */
const hanging: Answer = (_path, init) =>
  new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
  });

describe('discovery', () => {
  it('happens once for concurrent calls', async () => {
    const { connection, requests } = setUp(discovered);
    const [first, second] = await Promise.all([connection.configured(), connection.configured()]);
    expect(second).toBe(first);
    expect(await connection.configured()).toBe(first);
    expect(requests).toHaveLength(1);
  });

  it('that failed is retried after two seconds, not before', async () => {
    let isDown = true;
    const { clock, connection, requests } = setUp((...request) =>
      isDown ? new Response(null, { status: 503 }) : discovered(...request),
    );
    for (let asked = 0; asked < 3; asked++) {
      await expect(connection.configured()).rejects.toMatchObject({
        code: 'provider_unavailable',
        message: expect.stringMatching(/"idp" cannot be used now: .* out of order\. Try again/),
        retryAfterSeconds: 60,
      });
    }
    // One to each address.
    expect(requests).toHaveLength(2);
    isDown = false;
    await clock.advance(2 * SECOND);
    await connection.configured();
    expect(requests).toHaveLength(3);
  });

  it('has ten seconds', async () => {
    const { clock, connection, requests } = setUp(hanging);
    const failed = connection.configured().catch((error: unknown) => error);
    await clock.advance(10 * SECOND - 1);
    expect(requests[0]?.signal?.aborted).toBe(false);
    await clock.advance(1);
    expect(await failed).toMatchObject({ code: 'provider_unavailable' });
  });

  it.each<[string, () => Response, object]>([
    [
      'another issuer',
      () => Response.json({ ...METADATA, issuer: 'https://other.test' }),
      { reason: 'issuer_mismatch', expected: ISSUER, received: 'https://other.test' },
    ],
    [
      'no PKCE',
      () => Response.json({ ...METADATA, code_challenge_methods_supported: ['plain'] }),
      { reason: 'pkce_unsupported' },
    ],
    ['nothing', () => new Response(null, { status: 404 }), { reason: 'discovery_failed', status: 404 }],
  ])('of %s is refused with the reason [security 12]', async (_what, answer, failure) => {
    const { connection } = setUp(answer);
    await expect(connection.configured()).rejects.toMatchObject({
      code: 'provider_refused',
      failure,
    });
  });

  it('is skipped if the endpoints are configured', async () => {
    const endpoints = { authorization: `${ISSUER}/a`, token: `${ISSUER}/t`, userInfo: `${ISSUER}/u` };
    const { connection, requests } = setUp(hanging, { endpoints, pkce: 'S256' });
    expect((await connection.configured()).serverMetadata()).toMatchObject({
      issuer: ISSUER,
      authorization_endpoint: endpoints.authorization,
      token_endpoint: endpoints.token,
      userinfo_endpoint: endpoints.userInfo,
    });
    expect('revocation_endpoint' in (await connection.configured()).serverMetadata()).toBe(false);
    expect(requests).toEqual([]);
  });
});

describe('a request to a provider', () => {
  it('for a code has ten seconds', async () => {
    const { clock, connection, requests } = setUp(discovered);
    const failed = oidc
      .genericGrantRequest(await connection.configured(), 'authorization_code', {})
      .catch((error: unknown) => error);
    await clock.advance(10 * SECOND - 1);
    expect(requests.at(-1)?.signal?.aborted).toBe(false);
    await clock.advance(1);
    expect(requests.at(-1)?.signal?.aborted).toBe(true);
    expect(await failed).toBeInstanceOf(Error);
  });

  it('to refresh is never aborted [security 19]', async () => {
    let answer: (response: Response) => void = () => undefined;
    const { clock, connection, requests } = setUp((path, init) =>
      path === '/token' ? new Promise((resolve) => (answer = resolve)) : discovered(path, init),
    );
    const refreshed = oidc.refreshTokenGrant(await connection.configured(), 'token');
    await clock.advance(3600 * SECOND);
    expect(requests.at(-1)).toMatchObject({ path: '/token', signal: undefined });
    answer(Response.json({ access_token: 'late', token_type: 'Bearer' }));
    expect(await refreshed).toMatchObject({ access_token: 'late' });
  });

  it('follows no redirect', async () => {
    const { connection, requests } = setUp(discovered);
    const configuration = await connection.configured();
    void oidc.refreshTokenGrant(configuration, 'token').catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect(requests.map(({ redirect }) => redirect)).toEqual(['manual', 'manual']);
  });
});

describe('the key of a client', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256' };

  it.each<[string, NonNullable<ProviderOptions['clientKey']>]>([
    ['of another algorithm than it says', { ...jwk, alg: 'RS256' }],
    ['that is damaged', { ...jwk, d: 'do-not-show' }],
  ])('%s is refused by name and not shown [security 48]', async (_what, clientKey) => {
    const { connection } = setUp(discovered, { clientKey });
    const error: unknown = await connection.configured().catch((cause: unknown) => cause);
    expect(error).toMatchObject({
      message: expect.stringMatching(/clientKey/),
      failure: { reason: 'client_key_invalid', expected: `a private key for ${clientKey.alg}` },
    });
    expect(inspect(error)).not.toContain('do-not-show');
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const ecOf = (namedCurve: string) =>
    generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'jwk' });
  const ed25519 = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });

  it.each([
    ['ES256', jwk],
    ['ES384', ecOf('P-384')],
    ['ES512', ecOf('P-521')],
    ['RS256', rsa],
    ['RS384', rsa],
    ['RS512', rsa],
    ['PS256', rsa],
    ['PS384', rsa],
    ['PS512', rsa],
    ['EdDSA', ed25519],
  ])('signs with %s and names the algorithm', async (alg, key) => {
    const assertions: (string | null)[] = [];
    const { connection } = setUp(
      (path, init) => {
        if (path !== '/token') return discovered(path, init);
        assertions.push(new URLSearchParams(String(init?.body)).get('client_assertion'));
        return Response.json({ access_token: 'a', token_type: 'Bearer' });
      },
      { clientKey: { ...key, alg, kid: 'k-1' } },
    );
    await oidc.refreshTokenGrant(await connection.configured(), 'token');
    const [header = ''] = assertions[0]?.split('.') ?? [];
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ alg, kid: 'k-1' });
  });
});
