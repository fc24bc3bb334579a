import { describe, expect, it } from 'vitest';
import type { ProviderFailure } from '../session/provider-failures.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Secret } from '../vault/secret.js';
import { Provider } from './provider.js';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const ISSUER = 'https://id.test';
const ENDPOINTS = {
  authorization: `${ISSUER}/authorize`,
  token: `${ISSUER}/token`,
  userInfo: `${ISSUER}/userinfo`,
  revocation: `${ISSUER}/revoke`,
};

interface Sent {
  readonly url: string;
  readonly method: string | undefined;
  readonly headers: Headers;
  readonly body: string;
  readonly redirect: string | undefined;
}

type Answer = (sent: Sent) => Response | Promise<Response>;

/** A provider whose revocation endpoint answers in this way, the last answer for all further requests. */
function revocationAt(answers: readonly Answer[], options: Partial<ProviderOptions> = {}) {
  const sent: Sent[] = [];
  const clock = new VirtualClock();
  const settings = providerSettings({
    name: 'idp',
    issuer: ISSUER,
    clientId: 'client',
    scopes: ['a'],
    endpoints: ENDPOINTS,
    pkce: 'S256',
    ...options,
  });
  const fetch: typeof globalThis.fetch = (input, init) => {
    const { method, redirect, body } = init ?? {};
    const request = { url: String(input), method, redirect, headers: new Headers(init?.headers) };
    sent.push({ ...request, body: String(body) });
    const answer = answers[sent.length - 1] ?? answers.at(-1);
    const answering = new Promise<Response>((resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      const last = sent.at(-1);
      if (answer && last) Promise.resolve(answer(last)).then(resolve, reject);
    });
    return answering;
  };
  const failures: ProviderFailure[] = [];
  const report = (failure: ProviderFailure) => void failures.push(failure);
  const provider = new Provider(settings, { clock, fetch, onError: () => undefined, report });
  return { provider, sent, clock, failures };
}

const tokens = (refreshToken: string | undefined = 'refresh-1') => ({
  accessToken: Secret.fromString('access-1'),
  refreshToken: refreshToken === '' ? undefined : Secret.fromString(refreshToken),
});
const ok: Answer = () => new Response(null, { status: 200 });
const json =
  (status: number, body: object): Answer =>
  () =>
    Response.json(body, { status });
const fieldsOf = ({ body }: Sent) => Object.fromEntries(new URLSearchParams(body));
const basic = (value: string) => `Basic ${Buffer.from(value).toString('base64')}`;

describe('a revocation (RFC 7009)', () => {
  it('sends the refresh token first, then the access token, and follows no redirect', async () => {
    const { provider, sent } = revocationAt([ok]);
    expect(await provider.revoke(tokens())).toBe('confirmed');
    expect(sent.map(fieldsOf)).toEqual([
      { token: 'refresh-1', token_type_hint: 'refresh_token', client_id: 'client' },
      { token: 'access-1', token_type_hint: 'access_token', client_id: 'client' },
    ]);
    expect(sent.map(({ url, method, redirect }) => [url, method, redirect])).toEqual([
      [ENDPOINTS.revocation, 'POST', 'manual'],
      [ENDPOINTS.revocation, 'POST', 'manual'],
    ]);
  });

  it('authenticates the client as at the token endpoint', async () => {
    const secret = revocationAt([ok], { clientSecret: 's-1' });
    await secret.provider.revoke(tokens(''));
    expect(secret.sent[0]?.headers.get('authorization')).toBe(basic('client:s-1'));
    const post = revocationAt([ok], { clientSecret: 's-1', clientAuthentication: 'client_secret_post' });
    await post.provider.revoke(tokens(''));
    expect(post.sent.map(fieldsOf)).toMatchObject([{ client_id: 'client', client_secret: 's-1' }]);
  });

  it('is unsupported without an endpoint, and with `revocation: none`', async () => {
    const { revocation: _none, ...endpoints } = ENDPOINTS;
    const without = revocationAt([ok], { endpoints });
    const none = revocationAt([ok], { revocation: 'none' });
    for (const { provider, sent } of [without, none]) {
      expect(await provider.revoke(tokens())).toBe('unsupported');
      expect(sent).toEqual([]);
    }
  });

  it.each<[string, Answer]>([
    ['invalid_token', json(400, { error: 'invalid_token' })],
    ['invalid_grant', json(400, { error: 'invalid_grant' })],
    [
      'its own words for it',
      json(400, { error: 'invalid_request', error_description: 'Refresh token not found' }),
    ],
    [
      'a list of errors',
      json(404, { errors: [{ resource: 'RefreshToken', field: 'token', code: 'invalid' }] }),
    ],
    ['200 with an error that says so (Slack)', json(200, { ok: false, error: 'token_revoked' })],
    ['204', () => new Response(null, { status: 204 })],
  ])('is confirmed if the provider says that the token is dead: %s', async (_what, answer) => {
    const { provider, sent } = revocationAt([answer]);
    expect(await provider.revoke(tokens())).toBe('confirmed');
    expect(sent).toHaveLength(2);
  });

  it.each<[string, Answer]>([
    ['invalid_client', json(401, { error: 'invalid_client' })],
    ['400 with nothing', () => new Response(null, { status: 400 })],
    ['404', () => new Response(null, { status: 404 })],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: '/login' } })],
    ['200 with an error (Slack)', json(200, { ok: false, error: 'not_authed' })],
    ['200 with an error and no more', json(200, { error: 'server_error' })],
    ['200 that is not ok', json(200, { ok: false })],
  ])('is unconfirmed, and not repeated, if the provider refuses it: %s', async (_what, answer) => {
    const { provider, sent } = revocationAt([answer]);
    expect(await provider.revoke(tokens())).toBe('unconfirmed');
    expect(sent).toHaveLength(2);
  });

  it.each<[string, Answer]>([
    ['503', () => new Response(null, { status: 503 })],
    ['429', () => new Response(null, { status: 429 })],
    ['a maintenance page', () => new Response('<h1>Back soon</h1>', { status: 200 })],
    ['no connection', () => Promise.reject(new TypeError('fetch failed'))],
  ])('is repeated twice during an outage: %s', async (_what, answer) => {
    const { provider, sent } = revocationAt([answer, answer, ok]);
    expect(await provider.revoke(tokens(''))).toBe('confirmed');
    expect(sent).toHaveLength(3);
    const lasting = revocationAt([answer]);
    expect(await lasting.provider.revoke(tokens(''))).toBe('unconfirmed');
    expect(lasting.sent).toHaveLength(3);
  });

  it('has five seconds for each request, with its body', async () => {
    const { provider, sent, clock } = revocationAt([() => new Promise(() => undefined)]);
    const revocation = provider.revoke(tokens(''));
    await clock.advance(4999);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    expect(sent).toHaveLength(2);
    await clock.advance(10_000);
    expect(await revocation).toBe('unconfirmed');
    expect(sent).toHaveLength(3);
    expect(clock.timers).toBe(0);
  });

  it('does not need that of the access token if the provider revokes refresh tokens only', async () => {
    const unsupported = json(400, { error: 'unsupported_token_type' });
    expect(await revocationAt([ok, unsupported]).provider.revoke(tokens())).toBe('confirmed');
    expect(await revocationAt([unsupported, ok]).provider.revoke(tokens())).toBe('unconfirmed');
    expect(await revocationAt([unsupported]).provider.revoke(tokens(''))).toBe('unconfirmed');
    const refused = json(401, { error: 'invalid_client' });
    expect(await revocationAt([refused, unsupported]).provider.revoke(tokens())).toBe('unconfirmed');
  });
});

describe('a revocation that is not confirmed', () => {
  const endpoint = ENDPOINTS.revocation;

  it.each<[string, Answer, object]>([
    ['a client that is rejected', json(401, { error: 'invalid_client' }), { reason: 'client_rejected' }],
    ['another error', json(400, { error: 'brewing' }), { reason: 'token_error', oauthError: 'brewing' }],
    ['a type of token', json(400, { error: 'unsupported_token_type' }), { reason: 'token_error' }],
    ['an outage', () => new Response(null, { status: 503 }), { reason: 'provider_busy', status: 503 }],
    ['no connection', () => Promise.reject(new TypeError('fetch failed')), { reason: 'connection_lost' }],
  ])('is reported with its reason, once: %s', async (_what, answer, failure) => {
    const { provider, failures } = revocationAt([answer]);
    expect(await provider.revoke(tokens())).toBe('unconfirmed');
    expect(failures).toMatchObject([{ provider: 'idp', step: 'revocation', endpoint, ...failure }]);
    expect(JSON.stringify(failures)).not.toMatch(/access-1|refresh-1/);
  });

  it('is not reported if the provider has revoked the tokens, or they were dead', async () => {
    const { provider, failures } = revocationAt([ok, json(400, { error: 'invalid_token' })]);
    expect(await provider.revoke(tokens())).toBe('confirmed');
    expect(failures).toEqual([]);
  });
});

describe('a revocation that differs from RFC 7009', () => {
  const secret = { clientSecret: 's-1', clientAuthentication: 'client_secret_post' } as const;

  it('deletes a token of GitHub', async () => {
    const { provider, sent } = revocationAt([() => new Response(null, { status: 204 })], {
      ...secret,
      endpoints: { ...ENDPOINTS, revocation: 'https://api.test/applications/{clientId}/token' },
      revocationRequest: { method: 'DELETE', body: 'json', tokenField: 'access_token', tokens: 'access' },
    });
    expect(await provider.revoke(tokens())).toBe('confirmed');
    expect(sent).toMatchObject([{ url: 'https://api.test/applications/client/token', method: 'DELETE' }]);
    expect(JSON.parse(sent[0]?.body ?? '')).toEqual({ access_token: 'access-1' });
    expect(sent[0]?.headers.get('authorization')).toBe(basic('client:s-1'));
    expect(sent[0]?.headers.get('content-type')).toBe('application/json');
  });

  it('revokes a token of Slack with that token', async () => {
    const { provider, sent } = revocationAt([json(200, { ok: true, revoked: true })], {
      ...secret,
      revocationRequest: { tokens: 'access', authentication: 'bearer' },
    });
    expect(await provider.revoke(tokens())).toBe('confirmed');
    expect(sent.map(fieldsOf)).toEqual([{ token: 'access-1' }]);
    expect(sent[0]?.headers.get('authorization')).toBe('Bearer access-1');
  });

  it('is not confirmed by a dead access token if there is a refresh token, which may be alive', async () => {
    const dead = json(200, { ok: false, error: 'token_expired' });
    for (const which of ['access', 'both'] as const) {
      const options = {
        ...secret,
        revocationRequest: { tokens: which, authentication: 'bearer' },
      } as const;
      expect(await revocationAt([dead], options).provider.revoke(tokens())).toBe('unconfirmed');
      expect(await revocationAt([dead], options).provider.revoke(tokens(''))).toBe('confirmed');
    }
  });

  it('revokes a token of Notion with JSON and a header', async () => {
    const { provider, sent } = revocationAt([json(200, {})], {
      ...secret,
      revocationRequest: { body: 'json', headers: { 'Notion-Version': '2026-03-11' } },
    });
    expect(await provider.revoke(tokens())).toBe('confirmed');
    expect(sent.map(({ body }) => JSON.parse(body))).toEqual([{ token: 'refresh-1' }, { token: 'access-1' }]);
    expect(sent[0]?.headers.get('notion-version')).toBe('2026-03-11');
  });

  it('keeps the client credentials out of JSON, except for a public client', async () => {
    const { provider, sent } = revocationAt([ok], { revocationRequest: { body: 'json' } });
    await provider.revoke(tokens(''));
    expect(JSON.parse(sent[0]?.body ?? '')).toEqual({ token: 'access-1', client_id: 'client' });
  });

  it('is unsupported for a login without a refresh token, if only those are revoked', async () => {
    const { provider, sent } = revocationAt([ok], { revocationRequest: { tokens: 'refresh' } });
    expect(await provider.revoke(tokens(''))).toBe('unsupported');
    expect(await provider.revoke(tokens())).toBe('confirmed');
    expect(sent.map(fieldsOf)).toEqual([{ token: 'refresh-1', client_id: 'client' }]);
  });
});

describe('the revocation of tokens that no account has', () => {
  it.each([
    ['token', 'confirmed', 2],
    ['grant', 'unsupported', 0],
    ['none', 'unsupported', 0],
  ] as const)('with `revocation: %s` is %s [security 22]', async (revocation, outcome, requests) => {
    const { provider, sent } = revocationAt([ok], { revocation });
    expect(await provider.revokeUnused(tokens())).toBe(outcome);
    expect(sent).toHaveLength(requests);
    const unused = tokens();
    await provider.discard(unused);
    expect(() => unused.accessToken.reveal()).toThrow('wiped');
  });
});
