import * as oidc from 'openid-client';
import { describe, expect, it } from 'vitest';
import { Secret } from '../vault/secret.js';
import { authorizationUrl, isPushed } from './authorization-request.js';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const ISSUER = 'https://id.test';
const METADATA = { issuer: ISSUER, authorization_endpoint: `${ISSUER}/authorize?tenant=t` };
const checks = {
  state: Secret.fromString('state-1'),
  nonce: Secret.fromString('nonce-1'),
  codeVerifier: Secret.fromString('verifier-'.repeat(6)),
};

function settingsOf(options: Partial<ProviderOptions>) {
  return providerSettings({ issuer: ISSUER, clientId: 'client', ...options });
}

/** The parameters of an authorization request. */
async function requested(
  options: Partial<ProviderOptions> = {},
  differences: { scopes?: readonly string[]; claims?: string; prompt?: 'consent' | 'login' } = {},
): Promise<URLSearchParams> {
  const settings = settingsOf(options);
  const configuration = new oidc.Configuration(METADATA, 'client', undefined, oidc.None());
  const redirectUri = new URL('https://mcp.test/callback');
  const request = { redirectUri, checks, scopes: settings.scopes, ...differences };
  return (await authorizationUrl(configuration, settings, request)).searchParams;
}

const secret = { clientSecret: 's' };

describe('an authorization request', () => {
  it('has state, nonce and a code challenge, and keeps the query of the endpoint [security 12]', async () => {
    expect(Object.fromEntries(await requested())).toEqual({
      tenant: 't',
      response_type: 'code',
      client_id: 'client',
      redirect_uri: 'https://mcp.test/callback',
      scope: 'openid',
      state: 'state-1',
      nonce: 'nonce-1',
      code_challenge: await oidc.calculatePKCECodeChallenge('verifier-'.repeat(6)),
      code_challenge_method: 'S256',
    });
  });

  it.each<[string, Partial<ProviderOptions>, string[]]>([
    ['nonce if the options turn it off', { nonce: 'off' }, ['nonce']],
    ['nonce without `openid`, which gives no ID token', { scopes: ['profile'] }, ['nonce']],
    [
      'code challenge if the options turn it off',
      { ...secret, pkce: 'off' },
      ['code_challenge', 'code_challenge_method'],
    ],
    ['scopes if there are none', { scopes: [] }, ['scope', 'nonce']],
  ])('has no %s', async (_what, options, absent) => {
    const parameters = await requested(options);
    expect(absent.filter((name) => parameters.has(name))).toEqual([]);
    expect(parameters.get('state')).toBe('state-1');
  });

  it.each<[string, Partial<ProviderOptions>, Record<string, string>]>([
    [
      'the separator of the options between scopes',
      { scopes: ['a', 'b'], scopeSeparator: ',' },
      { scope: 'a,b' },
    ],
    [
      'the scopes in the parameter of the options',
      { scopes: ['a', 'b'], scopeParameter: 'user_scope' },
      { user_scope: 'a b' },
    ],
    ['the response mode of the options', { responseMode: 'form_post' }, { response_mode: 'form_post' }],
    [
      'the parameters of the options',
      { authorizationParams: { access_type: 'offline' } },
      { access_type: 'offline' },
    ],
  ])('has %s', async (_what, options, expected) => {
    expect(Object.fromEntries(await requested(options))).toMatchObject(expected);
  });

  it('names every resource (RFC 8707)', async () => {
    const resource = ['https://api.test/a', 'https://api.test/b'];
    expect((await requested({ resource })).getAll('resource')).toEqual(resource);
    expect((await requested({ resource: 'urn:api' })).getAll('resource')).toEqual(['urn:api']);
  });

  it('has the scopes and the prompt of the login, but the prompt of the options if they name one', async () => {
    const differences = { scopes: ['openid', 'more'], prompt: 'login' } as const;
    expect(Object.fromEntries(await requested({}, differences))).toMatchObject({
      scope: 'openid more',
      prompt: 'login',
    });
    const given = { authorizationParams: { prompt: 'consent' } };
    expect((await requested(given, differences)).getAll('prompt')).toEqual(['consent']);
  });

  it('merges the claims of the options with those of the login, which apply where both differ', async () => {
    const configured = {
      access_token: { xms_cc: { values: ['cp1'] } },
      id_token: { acr: { values: ['1'] }, email: null, name: { essential: true } },
    };
    const demanded = {
      access_token: { nbf: { essential: true, value: '1' } },
      id_token: { acr: { values: ['2'] }, name: null },
    };
    const options = { authorizationParams: { claims: JSON.stringify(configured) } };
    const parameters = await requested(options, { claims: JSON.stringify(demanded) });
    expect(parameters.getAll('claims').map((claims): unknown => JSON.parse(claims))).toEqual([
      {
        access_token: { xms_cc: { values: ['cp1'] }, nbf: { essential: true, value: '1' } },
        id_token: { acr: { values: ['2'] }, email: null, name: null },
      },
    ]);
  });

  it('cannot get a prototype from claims', async () => {
    const parameters = await requested({}, { claims: '{"__proto__":{"admin":true},"a":1}' });
    expect(parameters.get('claims')).toBe('{"__proto__":{"admin":true},"a":1}');
    expect(Object.hasOwn(Object.prototype, 'admin')).toBe(false);
  });
});

describe('a pushed authorization request', () => {
  it.each<[string, Partial<ProviderOptions>, boolean, boolean]>([
    ['is sent if the metadata requires it', {}, true, true],
    ['is not sent if the metadata does not require it', {}, false, false],
    ['is sent if the options say so', { pushedAuthorization: true }, false, true],
    ['is not sent if the options say so', { pushedAuthorization: false }, true, false],
  ])('%s', (_what, options, isRequired, expected) => {
    const metadata = { ...METADATA, require_pushed_authorization_requests: isRequired };
    const configuration = new oidc.Configuration(metadata, 'client', undefined, oidc.None());
    expect(isPushed(configuration, settingsOf(options))).toBe(expected);
  });
});
