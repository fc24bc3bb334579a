import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd', alg: 'ES256' };
const confidential: ProviderOptions = {
  issuer: 'https://id.example.com',
  clientId: 'client',
  clientSecret: 'secret',
};
const { clientSecret: _, ...publicClient } = confidential;
const endpoints = {
  authorization: 'https://id.example.com/authorize',
  token: 'https://id.example.com/token',
};
const userInfo = 'https://id.example.com/me';
const described: ProviderOptions = { ...confidential, endpoints, pkce: 'S256' };

/** Combinations that cannot be safe or cannot work: the option that the message names, the way out, the options. */
const REFUSED: readonly [what: string, option: string, wayOut: RegExp, options: ProviderOptions][] = [
  ['endpoints without `pkce`', 'pkce', /'S256'.*'off'/, { ...described, pkce: undefined }],
  ['a public client without PKCE', 'pkce', /`clientSecret`/, { ...publicClient, pkce: 'off' }],
  [
    'a public client without PKCE and nonce',
    'pkce',
    /`clientSecret`/,
    { ...publicClient, pkce: 'off', nonce: 'off' },
  ],
  ...(
    [
      ['without `openid`', { scopes: ['repo'] }],
      ['with the user info instead of an ID token', { identitySource: 'user_info' }],
      ['with the token response instead of an ID token', { identitySource: 'token_response' }],
    ] as [string, Partial<ProviderOptions>][]
  ).map(([what, given]): (typeof REFUSED)[number] => [
    `no PKCE and an unchecked nonce, ${what}`,
    'pkce',
    /`nonce: 'off'`/,
    { ...confidential, pkce: 'off', ...given },
  ]),
  [
    '`pkce` in logins that have no code',
    'pkce',
    /Leave it out/,
    { ...confidential, pkce: 'off', deviceFlow: 'only' },
  ],
  [
    'neither ID token nor user info',
    'endpoints.userInfo',
    /`identitySource`/,
    { ...described, scopes: ['repo'] },
  ],
  [
    'a user info that has no address',
    'endpoints.userInfo',
    /required/,
    { ...described, identitySource: 'user_info' },
  ],
  [
    'an ID token that is not requested',
    'identitySource',
    /`scopes`/,
    { ...confidential, scopes: ['repo'], identitySource: 'id_token' },
  ],
  [
    'a nonce without an ID token',
    'nonce',
    /`openid`/,
    { ...confidential, scopes: ['repo'], nonce: 'required' },
  ],
  ...(
    [
      ['a colon in the id', { clientId: 'a:b' }],
      ['a colon in the secret', { clientSecret: 'a:b' }],
      ['a line break in the id', { clientId: 'a\nb' }],
      ['a control character in the secret', { clientSecret: 'a\u0000b' }],
    ] as [string, Partial<ProviderOptions>][]
  ).map(([what, given]): (typeof REFUSED)[number] => [
    `raw Basic with ${what}`,
    'clientAuthentication',
    /'client_secret_post'/,
    { ...confidential, clientAuthentication: 'client_secret_basic_raw', ...given },
  ]),
  [
    'an assertion without a key',
    'clientAssertion',
    /`clientKey`/,
    { ...confidential, clientAssertion: { audience: 'token_endpoint' } },
  ],
  ...['alg', 'typ'].map((field): (typeof REFUSED)[number] => [
    `an assertion with its own ${field}`,
    'clientAssertion.header',
    /must not contain alg or typ/,
    { ...publicClient, clientKey: key, clientAssertion: { header: { [field]: 'none' } } },
  ]),
  [
    'an API origin from a field that tools do not see',
    'apiOriginField.field',
    /`tokenFields`/,
    { ...confidential, apiOriginField: { field: 'instance_url', domains: ['api.example.com'] } },
  ],
  ...[
    'com',
    'localhost',
    '10.0.0.1',
    '127.1',
    '[::1]',
    '*.example.com',
    'https://example.com',
    'example.com.',
  ].map((domain): (typeof REFUSED)[number] => [
    `API origins in ${domain}`,
    'apiOriginField.domains[0]',
    /must be a domain/,
    { ...confidential, tokenFields: ['api'], apiOriginField: { field: 'api', domains: [domain] } },
  ]),
  ...['https://*.my.salesforce.com', 'https://*'].map((origin): (typeof REFUSED)[number] => [
    `${origin} as an API origin`,
    'apiOrigins[0]',
    /wildcard: use `apiOriginField`/,
    { ...confidential, apiOrigins: [origin] },
  ]),
  [
    'a field that the browser could replace',
    'callbackFields',
    /`tokenFields`/,
    { ...confidential, tokenFields: ['api'], callbackFields: ['api'] },
  ],
  ...['access_token', '/authed_user/refresh_token', 'id_token', 'clientSecret', 'CODE', 'password'].flatMap(
    (name): (typeof REFUSED)[number][] => [
      [
        `${name} of the token response in tools`,
        'tokenFields[0]',
        /tools and models would see it/,
        { ...confidential, tokenFields: [name] },
      ],
      [
        `${name} of the callback in tools`,
        'callbackFields[0]',
        /tools and models would see it/,
        { ...confidential, callbackFields: [name] },
      ],
    ],
  ),
  [
    '`revoke` beside `revocationRequest`',
    'revoke',
    /leave one of them out/,
    {
      ...described,
      endpoints: { ...endpoints, revocation: 'https://id.example.com/revoke' },
      revoke: () => Promise.resolve(),
      revocationRequest: { method: 'DELETE' },
    },
  ],
  [
    '`revoke` that is never called',
    'revoke',
    /leave one of them out/,
    { ...confidential, revoke: () => Promise.resolve(), revocation: 'none' },
  ],
  [
    'a revocation without an address',
    'revocationRequest',
    /`endpoints.revocation`/,
    { ...confidential, revocationRequest: { method: 'DELETE' } },
  ],
  [
    'a pushed authorization request without an address',
    'endpoints.pushedAuthorization',
    /required/,
    { ...described, pushedAuthorization: true },
  ],
  [
    'the device flow without an address',
    'endpoints.deviceAuthorization',
    /required/,
    { ...described, deviceFlow: 'allowed' },
  ],
  [
    'unsigned ID tokens',
    'idTokenAlgorithms[1]',
    /must not be `none`/,
    { ...confidential, idTokenAlgorithms: ['RS256', 'none'] },
  ],
  ...['DPoP', 'dpop', 'mac', 'PoP'].map((type): (typeof REFUSED)[number] => [
    `tokens of the type ${type}`,
    'tokenTypes[1]',
    /must not be bound to a key/,
    { ...confidential, tokenTypes: ['Bearer', type] },
  ]),
  ...(['id_token', 'token_response'] as const).map((identitySource): (typeof REFUSED)[number] => [
    `a user info request beside identities from the ${identitySource}`,
    'userInfoRequest',
    /leave it out/,
    { ...confidential, identitySource, userInfoRequest: { method: 'POST' } },
  ]),
  ...['userInfoRequest', 'revocationRequest'].flatMap((option) =>
    ['Authorization', 'host', 'Content-Length'].map((header): (typeof REFUSED)[number] => [
      `${header} among the headers of ${option}`,
      `${option}.headers`,
      /must not contain authorization, host, content-length/,
      {
        ...described,
        endpoints: { ...endpoints, userInfo, revocation: 'https://id.example.com/revoke' },
        [option]: { headers: { [header]: 'x' } },
      },
    ]),
  ),
  [
    'scopes in two places',
    'authorizationParams',
    /`scopes`/,
    { ...confidential, scopeParameter: 'user_scope', authorizationParams: { user_scope: 'a' } },
  ],
  [
    'resources in two places',
    'authorizationParams',
    /option `resource`/,
    { ...confidential, resource: 'https://api.test', authorizationParams: { resource: 'https://b.test' } },
  ],
  [
    'a response mode among the parameters',
    'authorizationParams',
    /response_mode/,
    { ...confidential, authorizationParams: { response_mode: 'form_post' } },
  ],
  ...['resource', 'claims', 'prompt'].map((name): (typeof REFUSED)[number] => [
    `scopes as the parameter ${name}`,
    'scopeParameter',
    /has another meaning/,
    { ...confidential, scopeParameter: name },
  ]),
  [
    'scopes as the state',
    'scopeParameter',
    /protects the login/,
    { ...confidential, scopeParameter: 'state' },
  ],
];

describe('provider options that cannot work or cannot be safe', () => {
  it.each(REFUSED)('are refused with the option and the way out: %s', (_what, option, wayOut, options) => {
    expect(() => providerSettings(options)).toThrow(
      expect.objectContaining({ code: 'configuration', message: expect.stringContaining(`→ at ${option}`) }),
    );
    expect(() => providerSettings(options)).toThrow(wayOut);
  });
});

describe('provider options that give up a protection by name', () => {
  it.each<[string, ProviderOptions]>([
    ['no PKCE with a nonce that is checked', { ...confidential, pkce: 'off' }],
    ['no PKCE and no nonce', { ...confidential, pkce: 'off', nonce: 'off' }],
    ['no PKCE and no nonce without `openid`', { ...confidential, pkce: 'off', nonce: 'off', scopes: [] }],
    ['no nonce with PKCE', { ...publicClient, nonce: 'off' }],
    ['no PKCE with a key', { ...publicClient, clientKey: key, pkce: 'off' }],
    [
      'an identity from the token response without user info and ID token',
      { ...described, scopes: [], identitySource: 'token_response' },
    ],
    ['raw Basic', { ...confidential, clientAuthentication: 'client_secret_basic_raw' }],
    [
      'an API origin from a field of the token response',
      {
        ...confidential,
        tokenFields: ['instance_url'],
        apiOriginField: { field: 'instance_url', domains: ['my.salesforce.com', 'xn--bcher-kva.example'] },
      },
    ],
    [
      'a revocation that differs from RFC 7009',
      {
        ...described,
        endpoints: { ...endpoints, revocation: 'https://api.example.com/applications/{clientId}/token' },
        revocationRequest: { method: 'DELETE', body: 'json', tokenField: 'access_token', tokens: 'access' },
      },
    ],
  ])('are accepted: %s', (_what, options) => {
    expect(providerSettings(options)).toMatchObject(options);
  });
});

const maybe = <T>(...values: T[]) => fc.constantFrom(undefined, ...values);

/** Options of which each is valid on its own. */
const anyOptions = fc.record({
  clientSecret: maybe('secret', 'with:colon'),
  clientKey: maybe(key),
  clientAuthentication: maybe('none', 'client_secret_post', 'client_secret_basic_raw', 'private_key_jwt'),
  clientAssertion: maybe({ audience: 'token_endpoint' }),
  endpoints: maybe<ProviderOptions['endpoints']>(endpoints, { ...endpoints, userInfo }),
  pkce: maybe('S256', 'off'),
  nonce: maybe('required', 'off'),
  scopes: maybe(['openid'], ['repo'], []),
  identitySource: maybe('id_token', 'user_info', 'token_response'),
  deviceFlow: maybe('allowed', 'only'),
  tokenFields: maybe(['api']),
  callbackFields: maybe(['api'], ['realmId']),
  apiOriginField: maybe({ field: 'api', domains: ['example.com'] }),
});

function settingsOf(options: ProviderOptions): ReturnType<typeof providerSettings> | Error {
  try {
    return providerSettings(options);
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

describe('any combination of provider options', () => {
  it('is refused with the name of an option, or protects every login and identifies its user [security 12]', () => {
    fc.assert(
      fc.property(anyOptions, (given) => {
        const settings = settingsOf({ ...publicClient, ...given } as ProviderOptions);
        if (settings instanceof Error) {
          expect(settings.message).toMatch(/→ at [a-zA-Z]/);
          expect(settings.message).not.toContain('with:colon');
          return;
        }
        const isConfidential = settings.clientAuthentication !== 'none';
        const hasIdToken = settings.scopes.includes('openid');
        const source = settings.identitySource ?? (hasIdToken ? 'id_token' : 'user_info');
        if (settings.pkce === 'off') {
          expect(isConfidential).toBe(true);
          expect(given.nonce === 'off' || (hasIdToken && source === 'id_token')).toBe(true);
        }
        if (settings.endpoints && settings.deviceFlow !== 'only') expect(settings.pkce).toBeDefined();
        if (settings.clientAuthentication === 'client_secret_basic_raw')
          expect(settings.clientSecret).not.toContain(':');
        if (source === 'id_token') expect(hasIdToken).toBe(true);
        if (source === 'user_info' && given.endpoints) expect(given.endpoints).toHaveProperty('userInfo');
        if (isConfidential) expect(settings.clientSecret ?? settings.clientKey).toBeDefined();
        if (settings.apiOriginField) expect(settings.tokenFields).toContain(settings.apiOriginField.field);
        expect(settings.callbackFields.filter((name) => settings.tokenFields.includes(name))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
});
