import { describe, expect, it } from 'vitest';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const options: ProviderOptions = { issuer: 'https://id.example.com', clientId: 'client' };
const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd', alg: 'ES256' };
const endpoints = {
  authorization: 'https://git.example.com/login/oauth/authorize',
  token: 'https://git.example.com/login/oauth/access_token',
  userInfo: 'https://api.git.example.com/user',
};
const withEndpoints = { endpoints, pkce: 'S256', scopes: ['repo'] } as const;

describe('the options of a provider', () => {
  it('have defaults', () => {
    expect(providerSettings(options)).toEqual({
      ...options,
      name: 'id.example.com',
      displayName: 'id.example.com',
      clientAuthentication: 'none',
      isAuthenticationGiven: false,
      clientAssertion: { audience: 'issuer', header: {} },
      scopes: ['openid'],
      scopeSeparator: ' ',
      scopeParameter: 'scope',
      authorizationParams: {},
      resource: [],
      responseMode: 'query',
      nonce: 'required',
      idTokenAudiences: [],
      clockToleranceSeconds: 60,
      tokenTypes: ['Bearer'],
      tokenFields: [],
      callbackFields: [],
      userInfoRequest: { method: 'GET', headers: {} },
      apiOrigins: [],
      revocation: 'token',
    });
  });

  it('accept API origins with and without a final slash [security 47]', () => {
    const given = ['https://api.example.com', 'https://API.example.com:8443/', 'http://127.0.0.1:8080'];
    expect(providerSettings({ ...options, apiOrigins: given }).apiOrigins).toEqual([
      'https://api.example.com',
      'https://api.example.com:8443',
      'http://127.0.0.1:8080',
    ]);
  });

  it.each([
    'https://api.example.com/v1',
    'https://api.example.com/?query',
    'https://api.example.com/#fragment',
    'https://user@api.example.com',
    'http://api.example.com',
    'ftp://127.0.0.1',
    'api.example.com',
  ])('refuse %s as an API origin [security 47]', (origin) => {
    const wrong = { ...options, apiOrigins: ['https://api.example.com', origin] };
    expect(() => providerSettings(wrong)).toThrow(
      expect.objectContaining({
        code: 'configuration',
        message: expect.stringContaining('apiOrigins[1]'),
      }),
    );
  });

  it('refuse a `revoke` that is not a function', () => {
    const wrong = { ...options, revoke: 'https://git.example.com/revoke' };
    expect(() => providerSettings(wrong as never)).toThrow(/must be a function[\s\S]*revoke/);
  });

  it.each<[string, object]>([
    ['clientID', { clientID: 'x' }],
    ['userinfo', { ...withEndpoints, endpoints: { ...endpoints, userinfo: 'https://git.example.com/u' } }],
    ['email', { identityFields: { subject: 'id', email: 'mail' } }],
  ])('refuse an unknown option by its name: %s', (name, wrong) => {
    expect(() => providerSettings({ ...options, ...wrong })).toThrow(`unknown option \`${name}\``);
  });

  it.each<[string, Partial<ProviderOptions>]>([
    ['none', {}],
    ['client_secret_basic', { clientSecret: 's' }],
    ['private_key_jwt', { clientKey: key }],
    ['none', { clientAuthentication: 'none' }],
    ['client_secret_post', { clientAuthentication: 'client_secret_post', clientSecret: 's' }],
    ['client_secret_basic', { clientAuthentication: 'client_secret_basic', clientSecret: 's' }],
    ['private_key_jwt', { clientAuthentication: 'private_key_jwt', clientKey: key }],
  ])('determine the client authentication: %s of %o', (clientAuthentication, credentials) => {
    expect(providerSettings({ ...options, ...credentials })).toMatchObject({ clientAuthentication });
  });

  it.each<[string, Partial<ProviderOptions>]>([
    ['a public client with a secret', { clientAuthentication: 'none', clientSecret: 's' }],
    ['a public client with a key', { clientAuthentication: 'none', clientKey: key }],
    ['client_secret_basic without a secret', { clientAuthentication: 'client_secret_basic' }],
    ['client_secret_basic with a key', { clientAuthentication: 'client_secret_basic', clientKey: key }],
    ['client_secret_post without a secret', { clientAuthentication: 'client_secret_post' }],
    [
      'client_secret_post with a key too',
      { clientAuthentication: 'client_secret_post', clientSecret: 's', clientKey: key },
    ],
    ['private_key_jwt without a key', { clientAuthentication: 'private_key_jwt' }],
    ['private_key_jwt with a secret', { clientAuthentication: 'private_key_jwt', clientSecret: 's' }],
    ['a key and a secret', { clientKey: key, clientSecret: 's' }],
  ])('are refused if their credentials are contradictory: %s', (_what, credentials) => {
    const wrong = { ...options, ...credentials };
    expect(() => providerSettings(wrong)).toThrow(
      expect.objectContaining({
        code: 'configuration',
        message: expect.stringMatching(
          /requires `clientSecret`, or `clientKey` with `private_key_jwt`[\s\S]*clientAuthentication/,
        ),
      }),
    );
  });

  it('may contain the endpoints of a provider without discovery', () => {
    expect(providerSettings({ ...options, ...withEndpoints })).toMatchObject(withEndpoints);
    const { userInfo: _none, ...some } = endpoints;
    const openId = { endpoints: some, pkce: 'S256', scopes: ['openid'] } as const;
    expect(providerSettings({ ...options, ...openId })).toMatchObject(openId);
  });

  it.each<[string, RegExp, object]>([
    ['endpoints without pkce', /must be 'S256'[\s\S]*pkce/, { ...withEndpoints, pkce: undefined }],
    ['another pkce', /pkce/, { pkce: 'plain' }],
    ['another nonce', /nonce/, { nonce: 'none' }],
    ['a clock tolerance of an hour', /clockToleranceSeconds/, { clockToleranceSeconds: 3600 }],
    ['a negative clock tolerance', /clockToleranceSeconds/, { clockToleranceSeconds: -1 }],
    ['another separator of scopes', /scopeSeparator/, { scopeSeparator: ';' }],
    ['another response mode', /responseMode/, { responseMode: 'fragment' }],
    ['another source of the identity', /identitySource/, { identitySource: 'cookie' }],
    ['another extent of revocations', /revocation/, { revocation: 'all' }],
    ['a resource that is relative', /absolute URI[\s\S]*resource/, { resource: '/api' }],
    ['a resource with a fragment', /fragment[\s\S]*resource/, { resource: ['https://api.test/#a'] }],
    ['eleven resources', /resource/, { resource: new Array(11).fill('https://api.test') }],
    ['tokens at a name', /JSON Pointer[\s\S]*tokensAt/, { tokensAt: 'authed_user' }],
    ['tokens at a wrong escape', /JSON Pointer[\s\S]*tokensAt/, { tokensAt: '/a~2' }],
    [
      'an identity field of a wrong escape',
      /identityFields\.subject/,
      { identityFields: { subject: '/a~' } },
    ],
    ['eleven fields', /tokenFields/, { tokenFields: Array.from({ length: 11 }, (_, index) => `f${index}`) }],
    [
      'a field that every object has',
      /property of every object[\s\S]*tokenFields/,
      { tokenFields: ['__proto__'] },
    ],
    ['the state as a field', /`state`[\s\S]*callbackFields/, { callbackFields: ['state'] }],
    ['no token type', /tokenTypes/, { tokenTypes: [] }],
    ['no algorithm', /idTokenAlgorithms/, { idTokenAlgorithms: [] }],
    [
      'no domain',
      /apiOriginField\.domains/,
      { tokenFields: ['a'], apiOriginField: { field: 'a', domains: [] } },
    ],
    ['an unknown field of a request', /unknown option `verb`/, { userInfoRequest: { verb: 'POST' } }],
    ['a body with GET', /method: 'POST'[\s\S]*userInfoRequest\.body/, { userInfoRequest: { body: '{}' } }],
    [
      'a header with a line break',
      /userInfoRequest\.headers/,
      { userInfoRequest: { headers: { a: 'b\r\nc' } } },
    ],
    ['a header without a name', /userInfoRequest\.headers/, { userInfoRequest: { headers: { '': 'b' } } }],
    [
      'a pushed authorization endpoint over http',
      /https[\s\S]*endpoints\.pushedAuthorization/,
      endpointsWith({ pushedAuthorization: 'http://git.test/p' }),
    ],
    ['keys over http', /https[\s\S]*endpoints\.jwks/, endpointsWith({ jwks: 'http://git.test/k' })],
    ['a name that every object has', /property of every object[\s\S]*name/, { name: 'constructor' }],
    [
      'endpoints without one that identifies the user',
      /`openid`[\s\S]*endpoints\.userInfo/,
      { ...withEndpoints, endpoints: { ...endpoints, userInfo: undefined } },
    ],
    ['endpoints without a token endpoint', /endpoints\.token/, endpointsWith({ token: undefined })],
    [
      'endpoints without an authorization endpoint',
      /endpoints\.authorization/,
      endpointsWith({ authorization: undefined }),
    ],
    ['an issuer over http', /must use https[\s\S]*issuer/, { issuer: 'http://id.example.com' }],
    ['an issuer that is no address', /issuer/, { issuer: 'id.example.com' }],
    ['an issuer of another kind', /issuer/, { issuer: 'ftp://127.0.0.1' }],
    [
      'a token endpoint over http',
      /https[\s\S]*endpoints\.token/,
      endpointsWith({ token: 'http://git.test/t' }),
    ],
    [
      'an authorization endpoint over http',
      /https[\s\S]*endpoints\.authorization/,
      endpointsWith({ authorization: 'http://git.test/a' }),
    ],
    [
      'a userinfo endpoint over http',
      /https[\s\S]*endpoints\.userInfo/,
      endpointsWith({ userInfo: 'http://git.test/u' }),
    ],
    [
      'a revocation endpoint over http',
      /https[\s\S]*endpoints\.revocation/,
      endpointsWith({ revocation: 'http://git.test/r' }),
    ],
    ['no client id', /clientId/, { clientId: '' }],
    ['an empty secret', /clientSecret/, { clientSecret: '' }],
    ['an unknown way to authenticate', /clientAuthentication/, { clientAuthentication: 'tls_client_auth' }],
    ['a public key', /must be a private key[\s\S]*clientKey\.d/, { clientKey: { ...key, d: undefined } }],
    [
      'a key of an algorithm that is not for this',
      /RS256[\s\S]*clientKey\.alg/,
      { clientKey: { ...key, alg: 'HS256' } },
    ],
    ['an issuer with a password', /user or password[\s\S]*issuer/, { issuer: 'https://u:p@id.example.com' }],
    [
      'a token endpoint with a user',
      /user or password[\s\S]*endpoints\.token/,
      endpointsWith({ token: 'https://u@git.test/t' }),
    ],
    ['a key without an algorithm', /clientKey\.alg/, { clientKey: { ...key, alg: undefined } }],
    ['two scopes in one', /is not a scope[\s\S]*scopes/, { scopes: ['openid profile'] }],
    ['an empty scope', /scopes/, { scopes: [''] }],
    ['an empty name', /name/, { name: '' }],
    ['a name that is too long', /name/, { name: 'x'.repeat(101) }],
    ['an empty identity field', /identityFields\.subject/, { identityFields: { subject: '' } }],
    ['no identity field', /identityFields\.subject/, { identityFields: { name: 'login' } }],
    ['a parameter that is no text', /authorizationParams/, { authorizationParams: { prompt: 1 } }],
  ])('are refused with the name of the option: %s', (_what, message, wrong) => {
    // Wrong on purpose, in ways that the compiler would find.
    const given = { ...options, ...wrong } as ProviderOptions;
    expect(() => providerSettings(given)).toThrow(
      expect.objectContaining({ code: 'configuration', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    'client_id',
    'response_type',
    'response_mode',
    'request',
    'request_uri',
    'redirect_uri',
    'state',
    'nonce',
    'code_challenge',
    'code_challenge_method',
    'scope',
  ])('cannot set parameters of the flow: %s [security 12]', (name) => {
    const wrong = { ...options, authorizationParams: { audience: 'api', [name]: 'x' } };
    expect(() => providerSettings(wrong)).toThrow(`must not contain`);
    expect(() => providerSettings({ ...options, authorizationParams: { audience: 'api' } })).not.toThrow();
  });

  it('may use http on loopback', () => {
    const onLoopback = {
      issuer: 'http://127.0.0.1:1',
      endpoints: {
        authorization: 'http://localhost:1/a',
        token: 'http://[::1]:1/t',
        userInfo: 'http://127.0.0.1:1/u',
      },
      pkce: 'S256',
    } as const;
    expect(() => providerSettings({ ...options, ...onLoopback })).not.toThrow();
  });

  it('know whether the client authentication is configured or may follow the metadata', () => {
    const secret = { ...options, clientSecret: 's' };
    expect(providerSettings(secret)).toMatchObject({ isAuthenticationGiven: false });
    const given = { ...secret, clientAuthentication: 'client_secret_basic' } as const;
    expect(providerSettings(given)).toMatchObject({ isAuthenticationGiven: true });
  });

  it('keep what is set, beside the defaults of the rest', () => {
    const given = {
      clientKey: key,
      clientAssertion: { header: { x5t: 'thumbprint' } },
      resource: 'https://api.example.com',
      userInfoRequest: { method: 'POST' },
      tokenTypes: ['User Access Token'],
      clockToleranceSeconds: 0,
    } as const;
    expect(providerSettings({ ...options, ...given })).toMatchObject({
      clientAssertion: { audience: 'issuer', header: { x5t: 'thumbprint' } },
      resource: ['https://api.example.com'],
      userInfoRequest: { method: 'POST', headers: {} },
      tokenTypes: ['User Access Token'],
      clockToleranceSeconds: 0,
    });
  });

  it('are refused without showing a secret [security 48]', () => {
    const wrong = { ...options, clientSecret: 'do-not-show', clientKey: { ...key, d: 'nor-this' } };
    expect(() => providerSettings(wrong)).toThrow(
      expect.objectContaining({ message: expect.not.stringMatching(/do-not-show|nor-this/) }),
    );
  });
});

function endpointsWith(wrong: Record<string, unknown>): object {
  return { ...withEndpoints, endpoints: { ...endpoints, ...wrong } };
}
