import { describe, expect, it } from 'vitest';
import type { ProviderFailure } from '../session/provider-failures.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Secret } from '../vault/secret.js';
import { Provider } from './provider.js';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const ISSUER = 'https://id.test';

interface Answers {
  /** The claims of the ID token, which are complete without any. Absent: no ID token. */
  readonly claims?: object;
  /** Further fields of the token response. */
  readonly tokens?: object;
  readonly userInfo?: object;
  readonly metadata?: object;
}

/** A provider that grants every request, and the forms that it got at its token endpoint. */
function providerOf({ claims, tokens, userInfo, metadata }: Answers, options: Partial<ProviderOptions> = {}) {
  const forms: Record<string, string>[] = [];
  const revoked: (string | null)[] = [];
  const failures: ProviderFailure[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { pathname } = new URL(String(input));
    const form = new URLSearchParams(String(init?.body));
    if (pathname === '/revoke') {
      revoked.push(form.get('token'));
      return new Response();
    }
    if (pathname === '/me') return Response.json(userInfo ?? {});
    if (pathname !== '/token') return Response.json({ ...METADATA, ...metadata });
    forms.push(Object.fromEntries(form));
    const idToken = claims && { id_token: idTokenOf(claims) };
    return Response.json({ access_token: 'access', refresh_token: 'refresh', ...idToken, ...tokens });
  };
  const settings = providerSettings({ name: 'idp', issuer: ISSUER, clientId: 'client', ...options });
  const report = (failure: ProviderFailure) => void failures.push(failure);
  const runtime = { clock: new VirtualClock(), fetch, onError: () => undefined, report };
  return { provider: new Provider(settings, runtime), forms, revoked, failures };
}

const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  revocation_endpoint: `${ISSUER}/revoke`,
  userinfo_endpoint: `${ISSUER}/me`,
  code_challenge_methods_supported: ['S256'],
};

function idTokenOf(claims: object): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 60;
  const complete = { iss: ISSUER, sub: 'alice', aud: 'client', nonce: 'nonce-1', exp, iat: exp, ...claims };
  return `${part({ alg: 'ES256' })}.${part(complete)}.signature`;
}

function exchange(provider: Provider, query = '', scopes?: readonly string[]) {
  const checks = {
    state: Secret.fromString('state-1'),
    nonce: Secret.fromString('nonce-1'),
    codeVerifier: Secret.fromString('verifier-'.repeat(6)),
  };
  return provider.exchange(new URL(`https://mcp.test/callback?code=c&state=state-1${query}`), checks, scopes);
}

const secret = { clientSecret: 's' };

describe('a login at a provider that differs', () => {
  it.each<[string, Answers, Partial<ProviderOptions>]>([
    ['whose ID token has no nonce', { claims: { nonce: undefined } }, { nonce: 'off' }],
    ['that sends an ID token without `openid`', { claims: { nonce: undefined } }, { scopes: ['profile'] }],
    [
      'whose ID token has further audiences',
      { claims: { aud: ['client', 'b'] } },
      { idTokenAudiences: ['b'] },
    ],
    [
      'that announces an algorithm',
      { claims: {}, metadata: { id_token_signing_alg_values_supported: ['ES256'] } },
      {},
    ],
    [
      'whose algorithm is not announced, but configured',
      { claims: {}, metadata: { id_token_signing_alg_values_supported: ['RS256'] } },
      { idTokenAlgorithms: ['ES256'] },
    ],
    ['that sends no ID token', { userInfo: { sub: 'alice' } }, {}],
    [
      'that sends an encrypted ID token',
      { tokens: { id_token: 'a.b.c.d.e' }, userInfo: { sub: 'alice' } },
      {},
    ],
    [
      'whose unrequested ID token is for another client',
      { claims: { aud: 'x' }, userInfo: { sub: 'alice' } },
      { scopes: ['a'] },
    ],
    ['whose clock is a minute behind', { claims: { exp: Math.floor(Date.now() / 1000) - 30 } }, {}],
  ])('%s identifies the user, and nothing is revoked', async (_what, answers, options) => {
    const { provider, revoked, failures } = providerOf(answers, options);
    expect(await exchange(provider)).toMatchObject({ identity: { subject: 'alice' } });
    expect([revoked, failures]).toEqual([[], []]);
  });

  it.each<[string, Answers, Partial<ProviderOptions>, object]>([
    ['without a nonce', { claims: { nonce: undefined } }, {}, { reason: 'id_token_claim', claim: 'nonce' }],
    ['with another nonce', { claims: { nonce: 'n' }, userInfo: { sub: 'a' } }, {}, { claim: 'nonce' }],
    [
      'with further audiences',
      { claims: { aud: ['client', 'b'] } },
      {},
      { claim: 'aud', received: 'client b' },
    ],
    ['that has expired', { claims: { exp: 1 } }, {}, { claim: 'exp' }],
    [
      'of another algorithm than announced',
      { claims: {}, metadata: { id_token_signing_alg_values_supported: ['RS256'] } },
      {},
      { reason: 'id_token_algorithm', expected: 'RS256', received: 'ES256' },
    ],
    [
      'that is missing although nothing else binds the code',
      { userInfo: { sub: 'a' } },
      { ...secret, pkce: 'off' },
      { reason: 'id_token_missing' },
    ],
  ])(
    'fails with an ID token %s, reports it once, and revokes its tokens [security 12]',
    async (_what, answers, options, failure) => {
      const { provider, revoked, failures } = providerOf(answers, options);
      await expect(exchange(provider)).rejects.toMatchObject({ code: 'provider_refused', failure });
      expect(failures).toMatchObject([{ step: 'token', outcome: 'refused', ...failure }]);
      await expect.poll(() => revoked).toEqual(['refresh', 'access']);
      expect(JSON.stringify(failures)).not.toMatch(/nonce-1|verifier|"n"/);
    },
  );

  it('sends no code verifier if the options turn PKCE off', async () => {
    const { provider, forms } = providerOf({ claims: {} }, { ...secret, pkce: 'off' });
    await exchange(provider);
    expect(forms).toEqual([expect.not.objectContaining({ code_verifier: expect.anything() })]);
  });

  it('keeps what tools may see, the session at the provider, and the lifetime of the refresh token', async () => {
    const tokens = { hub_id: 7, instance_url: 'https://a.my.test', refresh_expires_in: 1800 };
    const { provider } = providerOf(
      { claims: { sid: 's-1' }, tokens },
      {
        tokenFields: ['hub_id', 'instance_url'],
        callbackFields: ['realmId'],
        apiOriginField: { field: 'instance_url', domains: ['my.test'] },
      },
    );
    expect(await exchange(provider, '&realmId=42')).toMatchObject({
      fields: { hub_id: '7', instance_url: 'https://a.my.test', realmId: '42' },
      apiOrigin: 'https://a.my.test',
      providerSession: 's-1',
      refreshExpiresInSeconds: 1800,
    });
  });

  it.each<[string, object, string, readonly string[]]>([
    ['those of the token response', { scope: 'a' }, '&scope=a+b', ['a']],
    ['those of the callback, as far as they were requested', {}, '&scope=b+c', ['b']],
    ['the requested ones', {}, '', ['a', 'b']],
  ])('has the scopes of %s', async (_where, tokens, query, scopes) => {
    const { provider } = providerOf({ tokens, userInfo: { sub: 'alice' } }, { scopes: ['a'] });
    expect(await exchange(provider, query, ['a', 'b'])).toMatchObject({
      scopes,
      requestedScopes: ['a', 'b'],
    });
  });

  it.each<[string, readonly string[], object, readonly string[]]>([
    ['`openid`, because an ID token came', ['openid', 'a'], { scope: 'a' }, ['a', 'openid']],
    [
      '`offline_access`, because a refresh token came',
      ['offline_access', 'a'],
      { scope: 'a' },
      ['a', 'offline_access'],
    ],
    [
      '`profile` and `email` under the names of Google',
      ['profile', 'email'],
      { scope: 'https://www.googleapis.com/auth/userinfo.profile' },
      ['https://www.googleapis.com/auth/userinfo.profile', 'profile'],
    ],
    [
      'no `offline_access` without a refresh token',
      ['offline_access', 'a'],
      { scope: 'a', refresh_token: '' },
      ['a'],
    ],
  ])('has %s', async (_which, requested, tokens, scopes) => {
    const { provider } = providerOf({ claims: {}, tokens });
    expect(await exchange(provider, '', requested)).toMatchObject({ scopes });
  });

  it('splits scopes at commas if the options say so', async () => {
    const userInfo = { sub: 'alice' };
    const { provider } = providerOf(
      { tokens: { scope: 'a,b c' }, userInfo },
      { scopes: ['a'], scopeSeparator: ',' },
    );
    expect(await exchange(provider)).toMatchObject({ scopes: ['a', 'b', 'c'] });
  });

  it('is reported with the error of the authorization response', async () => {
    const { provider, failures } = providerOf({});
    await expect(exchange(provider, '&error=invalid_scope&error_description=No')).rejects.toMatchObject({
      code: 'provider_refused',
    });
    expect(failures).toMatchObject([
      {
        step: 'authorization',
        reason: 'authorization_error',
        oauthError: 'invalid_scope',
        oauthDescription: 'No',
      },
    ]);
  });
});

describe('a refresh at a provider that differs', () => {
  const refreshed = (answers: Answers, options: Partial<ProviderOptions>) =>
    providerOf(answers, options).provider.refresh(Secret.fromString('refresh'));

  it.each<[string, Partial<ProviderOptions>]>([
    ['the user info', { identitySource: 'user_info' }],
    ['the token response', { identitySource: 'token_response', identityFields: { subject: 'id' } }],
    ['fields of the user info', { scopes: ['profile'], identityFields: { subject: 'id' } }],
  ])('does not take the `sub` of its ID token for users who are known by %s', async (_what, options) => {
    for (const claims of [{ sub: 'other' }, { iss: 'https://other.test' }]) {
      const outcome = await refreshed({ claims }, options);
      expect(outcome).toMatchObject({ kind: 'granted', granted: { identity: undefined } });
      expect(outcome).not.toHaveProperty('granted.nonconformance');
    }
  });

  it.each<Partial<ProviderOptions>>([{}, { identitySource: 'user_info' }])(
    'has the `sub` of its ID token, which that of the login has to equal (%j) [security 23]',
    async (options) => {
      const outcome = await refreshed({ claims: { sub: 'other' } }, options);
      expect(outcome).toMatchObject({ granted: { openIdSubject: 'other' } });
    },
  );

  it('keeps the scopes that its response does not name, but that no refresh can withdraw', async () => {
    const scopes = ['openid', 'offline_access', 'profile', 'calendar'];
    const scope = 'https://www.googleapis.com/auth/userinfo.profile';
    expect(await refreshed({ tokens: { scope, refresh_token: undefined } }, { scopes })).toMatchObject({
      granted: { scopes: [scope, 'openid', 'offline_access', 'profile'] },
    });
  });

  it.each<[string, object, string]>([
    ['for another client', { aud: 'other' }, 'id_token_invalid'],
    ['without an issuer', { iss: undefined }, 'id_token_invalid'],
    ['of another issuer', { iss: 'https://other.test' }, 'issuer_changed'],
  ])(
    'keeps tokens that came with an ID token %s, and notes it [security 23]',
    async (_what, claims, nonconformance) => {
      expect(await refreshed({ claims }, {})).toMatchObject({
        kind: 'granted',
        granted: { identity: undefined, nonconformance },
      });
    },
  );
});
