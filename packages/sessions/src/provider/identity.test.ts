import * as oidc from 'openid-client';
import { describe, expect, it } from 'vitest';
import type { IdTokenFault } from './id-token.js';
import { identify, type LoginAnswer, userInfo } from './identity.js';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const claims = { iss: 'https://id.test', sub: 'alice', name: 'Alice', sid: 's-1' };
const ISSUER = 'https://id.test';
const FROM_USER_INFO = { identity: { subject: 'from-user-info' }, openIdSubject: 'user-info-sub' };

function settingsOf(options: Partial<ProviderOptions> = {}) {
  return providerSettings({ name: 'idp', issuer: 'https://id.test', clientId: 'client', ...options });
}

/** Identifies the user of a login with a good ID token that was requested, unless `answer` differs. */
function identified(options: Partial<ProviderOptions>, answer: Partial<LoginAnswer> = {}) {
  const login = {
    idToken: { claims },
    body: {},
    endpoint: `${ISSUER}/token?tenant=t`,
    isIdTokenRequested: true,
    isUserInfoEnough: true,
    ...answer,
  };
  return identify(settingsOf(options), login, async () => FROM_USER_INFO);
}

/** The `sub` that the user info of a login has to have, if it has one. */
async function comparedSubject(options: Partial<ProviderOptions>, answer: Partial<LoginAnswer> = {}) {
  const login = { idToken: { claims }, body: {}, endpoint: undefined, isUserInfoEnough: true };
  const compared: (string | undefined)[] = [];
  await identify(settingsOf(options), { ...login, isIdTokenRequested: true, ...answer }, async (subject) => {
    compared.push(subject);
    return FROM_USER_INFO;
  });
  return compared;
}

const faulty = (reason: IdTokenFault['reason'], more: Partial<IdTokenFault> = {}) => ({
  idToken: { fault: { reason, ...more } },
});
const BY_ID = { identityFields: { subject: 'id' } };
const none = { idToken: undefined };
const unrequested = { isIdTokenRequested: false };

describe('the user of a login', () => {
  it('is the one of the ID token, whose claims and session are kept', async () => {
    expect(await identified({})).toEqual({
      identity: { subject: 'alice', name: 'Alice' },
      idTokenClaims: claims,
      openIdSubject: 'alice',
      providerSession: 's-1',
    });
  });

  it('is the one of an ID token that was not requested, whose claims are not kept', async () => {
    const user = await identified({}, unrequested);
    expect(user).toEqual({
      identity: { subject: 'alice', name: 'Alice' },
      openIdSubject: 'alice',
      providerSession: 's-1',
    });
  });

  it.each<[string, Partial<ProviderOptions>, Partial<LoginAnswer>]>([
    ['without an ID token that was requested', {}, none],
    ['with an encrypted ID token', {}, faulty('id_token_encrypted')],
    ['with an unusable ID token that was not requested', {}, { ...faulty('id_token_claim'), ...unrequested }],
  ])('is the one of the user info %s, which is noted', async (_what, options, answer) => {
    expect(await identified(options, answer)).toEqual({
      ...FROM_USER_INFO,
      nonconformance: 'id_token_invalid',
    });
  });

  it.each<[string, Partial<ProviderOptions>, Partial<LoginAnswer>]>([
    ['without an ID token that was not requested', {}, { ...none, ...unrequested }],
    [
      'if the options say so, whatever the ID token is',
      { identitySource: 'user_info' },
      faulty('id_token_malformed'),
    ],
    ['if the options name its fields', { identityFields: { subject: 'id' } }, { ...none, ...unrequested }],
  ])('is the one of the user info %s', async (_what, options, answer) => {
    expect(await identified(options, answer)).toEqual(FROM_USER_INFO);
  });

  it('is the one of the fields that the options name, even if an ID token came that was not requested', async () => {
    const options = { scopes: ['profile'], identityFields: { subject: 'id' } };
    expect(await identified(options, unrequested)).toMatchObject({ identity: FROM_USER_INFO.identity });
  });

  it('is the one of an ID token that was requested, although the options name fields of the user info', async () => {
    expect(await identified({ identityFields: { subject: 'id' } })).toMatchObject({
      identity: { subject: 'alice' },
    });
  });

  it.each<[string, object, object]>([
    ['/owner/user/id', { owner: { user: { id: 'n-1', name: 'Nora' } } }, { subject: 'n-1', name: 'Nora' }],
    ['user_id', { user_id: 42 }, { subject: '42' }],
  ])('is in the field %s of the token response if the options say so', async (subject, body, identity) => {
    const fields = { subject, name: '/owner/user/name' };
    const options = { identitySource: 'token_response', identityFields: fields } as const;
    expect(await identified(options, { body, ...none })).toMatchObject({ identity });
  });

  it.each<[string, object, string]>([
    ['each', { team: { id: 'T1' }, user: { id: 'U1' } }, 'T1/U1'],
    ['only the last', { team: null, user: { id: 'U1' } }, '/U1'],
    ['one with a separator', { team: { id: 'T1/U1' }, user: { id: 'U2' } }, 'T1%2FU1/U2'],
  ])('can have several fields as its identifier: %s of them is there', async (_which, body, subject) => {
    const fields = { subject: ['/team/id', '/user/id'] };
    const options = { identitySource: 'token_response', identityFields: fields } as const;
    expect(await identified(options, { body, ...none })).toMatchObject({ identity: { subject } });
  });

  it.each<[string, object]>([
    ['absent', { team: { id: 'T1' } }],
    ['no identifier', { team: { id: 'T1' }, user: { id: true } }],
    ['too long with the others', { team: { id: 'T1' }, user: { id: 'x'.repeat(1024) } }],
  ])('is not identified if the last of several fields is %s', async (_what, body) => {
    const fields = { subject: ['/team/id', '/user/id'] };
    const options = { identitySource: 'token_response', identityFields: fields } as const;
    await expect(identified(options, { body, ...none })).rejects.toMatchObject({
      failure: { reason: 'identity_missing', claim: '/user/id' },
    });
  });

  it('has an identifier of at most 1,024 characters, and a longer name is ignored [security 40]', async () => {
    const options = { identitySource: 'token_response', identityFields: { subject: 'id' } } as const;
    const id = 'x'.repeat(1024);
    expect(await identified(options, { body: { id, name: `${id}x` }, ...none })).toMatchObject({
      identity: { subject: id, name: undefined },
    });
    await expect(identified(options, { body: { id: `${id}x` }, ...none })).rejects.toMatchObject({
      failure: { reason: 'identity_missing', claim: 'id' },
    });
  });

  it.each([1.5, 2 ** 53, 2 ** 64, Number.NaN])(
    'cannot be the number %s, which another user could have, too',
    async (id) => {
      const options = { identitySource: 'token_response', identityFields: { subject: 'id' } } as const;
      await expect(identified(options, { body: { id }, ...none })).rejects.toMatchObject({
        failure: { reason: 'identity_missing', claim: 'id' },
      });
    },
  );

  it.each<[string, Partial<ProviderOptions>, Partial<LoginAnswer>, object]>([
    [
      'without an ID token or user info',
      {},
      { ...none, isUserInfoEnough: false },
      { reason: 'id_token_missing' },
    ],
    [
      'without an ID token that the options require',
      { identitySource: 'id_token' },
      none,
      { reason: 'id_token_missing' },
    ],
    [
      'with another nonce',
      {},
      faulty('id_token_claim', { claim: 'nonce' }),
      { reason: 'id_token_claim', claim: 'nonce' },
    ],
    [
      'with an algorithm that is not accepted',
      {},
      faulty('id_token_algorithm'),
      { reason: 'id_token_algorithm' },
    ],
    [
      'with something that is no ID token',
      {},
      faulty('id_token_malformed'),
      { reason: 'id_token_malformed' },
    ],
    [
      'with an encrypted ID token and without PKCE',
      {},
      { ...faulty('id_token_encrypted'), isUserInfoEnough: false },
      { reason: 'id_token_encrypted' },
    ],
    [
      'without an identifier in the token response',
      { identitySource: 'token_response', identityFields: { subject: '/user/id' } },
      { body: { user: {} } },
      { reason: 'identity_missing', claim: '/user/id' },
    ],
  ])('is unknown %s, and the login fails [security 12]', async (_what, options, answer, failure) => {
    await expect(identified(options, answer)).rejects.toMatchObject({
      failure: {
        provider: 'idp',
        step: 'token',
        outcome: 'refused',
        endpoint: `${ISSUER}/token`,
        ...failure,
      },
    });
  });

  it('is unknown if a claim differs, and the failure contains printable values of 200 characters', async () => {
    const fault = faulty('id_token_claim', { claim: 'iss', expected: 'a\nb', received: 'x'.repeat(999) });
    await expect(identified({}, fault)).rejects.toMatchObject({
      failure: { claim: 'iss', expected: 'ab', received: 'x'.repeat(200) },
    });
  });

  it.each(['', 's'.repeat(257), 7])('has no provider session if `sid` is no short text (%#)', async (sid) => {
    expect(await identified({}, { idToken: { claims: { ...claims, sid } } })).not.toHaveProperty(
      'providerSession',
    );
  });
});

describe('the `sub` of OpenID Connect', () => {
  it.each<[string, Partial<ProviderOptions>, Partial<LoginAnswer>, object]>([
    ['is that of the ID token', {}, {}, { subject: 'alice' }],
    [
      'is that of the ID token beside user info',
      { identitySource: 'user_info' },
      {},
      FROM_USER_INFO.identity,
    ],
    [
      'is that of the ID token beside a field of the token response',
      { identitySource: 'token_response', ...BY_ID },
      { body: { id: 7 } },
      { subject: '7' },
    ],
  ])('%s [security 59]', async (_what, options, answer, identity) => {
    expect(await identified(options, answer)).toMatchObject({ identity, openIdSubject: 'alice' });
  });

  it.each([none, faulty('id_token_claim')])(
    'is that of the user info without a valid ID token (%#)',
    async (answer) => {
      expect(await identified({ identitySource: 'user_info' }, answer)).toEqual(FROM_USER_INFO);
    },
  );

  it('is not known if a field of the token response identifies the user, without an ID token', async () => {
    const options = { identitySource: 'token_response', ...BY_ID } as const;
    expect(await identified(options, { body: { id: 7 }, ...none })).not.toHaveProperty('openIdSubject');
  });
});

describe('the user info of a login with an ID token', () => {
  it.each<[string, Partial<ProviderOptions>, Partial<LoginAnswer>]>([
    ['that was requested', { identitySource: 'user_info' }, {}],
    ['that was not requested', { scopes: ['profile'], identityFields: { subject: 'id' } }, unrequested],
  ])('%s is compared with its `sub` [security 12]', async (_what, options, answer) => {
    expect(await comparedSubject(options, answer)).toEqual(['alice']);
  });

  it.each([none, faulty('id_token_claim')])(
    'that is not valid is compared with nothing (%#)',
    async (answer) => {
      expect(await comparedSubject({ identitySource: 'user_info' }, answer)).toEqual([undefined]);
    },
  );
});

describe('a request for user info', () => {
  async function requested(options: Partial<ProviderOptions>, answer: object, idTokenSubject?: string) {
    const requests: { method: string; headers: Headers; body: unknown }[] = [];
    const metadata = { issuer: 'https://id.test', userinfo_endpoint: 'https://id.test/me' };
    const configuration = new oidc.Configuration(metadata, 'client', undefined, oidc.None());
    configuration[oidc.customFetch] = async (_url, { method, headers, body }) => {
      requests.push({ method, headers: new Headers(headers), body });
      return Response.json(answer);
    };
    const user = await userInfo(configuration, 'access', settingsOf(options), idTokenSubject);
    return { ...user, request: requests[0] };
  }

  it('is a GET with the access token', async () => {
    const { identity, request } = await requested({}, { sub: 'alice', preferred_username: 'al' });
    expect(identity).toEqual({ subject: 'alice', name: 'al' });
    expect(request).toMatchObject({ method: 'GET', body: undefined });
    expect(request?.headers.get('authorization')).toBe('Bearer access');
  });

  it('has the method, headers and body of the options', async () => {
    const body = '{"query":"{ viewer { id name } }"}';
    const { identity, request } = await requested(
      {
        userInfoRequest: { method: 'POST', headers: { 'x-version': '2' }, body },
        identityFields: { subject: '/data/viewer/id', name: '/data/viewer/name' },
      },
      { data: { viewer: { id: 'u-1', name: 'Ann' } } },
    );
    expect(identity).toEqual({ subject: 'u-1', name: 'Ann' });
    expect(request).toMatchObject({ method: 'POST', body });
    expect(Object.fromEntries(request?.headers ?? [])).toMatchObject({
      'x-version': '2',
      'content-type': 'application/json',
      authorization: 'Bearer access',
    });
  });

  it('has the content type of the options', async () => {
    const headers = { 'Content-Type': 'application/graphql' };
    const { request } = await requested(
      { userInfoRequest: { method: 'POST', headers, body: '{}' } },
      { sub: 'a' },
    );
    expect(request?.headers.get('content-type')).toBe('application/graphql');
  });

  it.each<[string, string, object, string]>([
    ['a name', 'id', { id: 583231 }, '583231'],
    ['a JSON Pointer', '/data/id', { data: { id: '1' } }, '1'],
    ['a name with a dot', 'user.id', { 'user.id': '2', user: { id: '3' } }, '2'],
  ])('finds the user by %s', async (_how, subject, answer, expected) => {
    const { identity } = await requested({ identityFields: { subject } }, answer);
    expect(identity.subject).toBe(expected);
  });

  it.each<[string, object]>([
    ['/data/id', { data: null }],
    ['id', { id: '' }],
    ['id', { id: { nested: 1 } }],
    ['constructor', {}],
    ['/constructor/name', {}],
  ])('finds no user at %s in %j, and names the field', async (subject, answer) => {
    await expect(requested({ identityFields: { subject } }, answer)).rejects.toMatchObject({
      failure: {
        step: 'user_info',
        reason: 'identity_missing',
        claim: subject,
        endpoint: 'https://id.test/me',
      },
    });
  });

  it.each([
    { sub: 'mallory' },
    { sub: 'Alice' },
    { sub: '' },
    { sub: ['alice'] },
    { id: 'alice', sub: 'mallory' },
  ])('identifies no user with %j if the ID token is that of alice [security 12]', async (answer) => {
    const options = 'id' in answer ? { identityFields: { subject: 'id' } } : {};
    const failure = { step: 'user_info', reason: 'user_info_mismatch', claim: 'sub' };
    await expect(requested(options, answer, 'alice')).rejects.toMatchObject({ failure });
  });

  it.each<[Partial<ProviderOptions>, object, string, object]>([
    [{}, { sub: 'alice' }, 'alice', { identity: { subject: 'alice' }, openIdSubject: 'alice' }],
    [{}, { sub: 42 }, '42', { identity: { subject: '42' }, openIdSubject: '42' }],
    [BY_ID, { sub: 'alice', id: 7 }, 'alice', { identity: { subject: '7' }, openIdSubject: 'alice' }],
    [BY_ID, { id: 7 }, 'alice', { identity: { subject: '7' } }],
    [BY_ID, { id: 7, sub: null }, 'alice', { identity: { subject: '7' } }],
  ])(
    'identifies the user by the same `sub` as the ID token, or without one (%#)',
    async (options, ...rest) => {
      const [answer, idTokenSubject, expected] = rest;
      const { request: _, ...user } = await requested(options, answer, idTokenSubject);
      expect(user).toEqual(expected);
    },
  );
});
