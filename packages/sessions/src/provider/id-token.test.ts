import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkIdToken, type IdTokenExpectations } from './id-token.js';

const NOW = 1_800_000_000;
const claims = {
  iss: 'https://id.test',
  sub: 'alice',
  aud: 'client',
  iat: NOW,
  exp: NOW + 300,
  nonce: 'n-secret',
};
const expectations: IdTokenExpectations = {
  issuer: 'https://id.test',
  clientId: 'client',
  audiences: [],
  nonce: { value: 'n-secret', isRequired: true },
  toleranceSeconds: 60,
  nowSeconds: NOW,
};

function idToken(payload: unknown, header: unknown = { alg: 'ES256' }): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(payload)}.signature`;
}

function checked(payload: unknown, differences: Partial<IdTokenExpectations> = {}) {
  return checkIdToken(idToken(payload), { ...expectations, ...differences });
}

describe('the ID token of a login', () => {
  it('identifies the user, in any script, with all its claims', () => {
    const all = { ...claims, sub: 'Ælfrīc-日本', name: 'Alice', sid: 's-1' };
    expect(checked(all)).toEqual({ claims: all });
  });

  it.each<[string, object, Partial<IdTokenExpectations>?]>([
    ['a list of one audience', { aud: ['client'] }],
    [
      'several audiences, and the client as the authorized party',
      { aud: ['other', 'client'], azp: 'client' },
    ],
    ['an audience that the options name', { aud: ['other', 'client'] }, { audiences: ['other'] }],
    ['an authorized party beside the only audience', { azp: 'client' }],
    ['an authorized party that the options name', { azp: 'other' }, { audiences: ['other'] }],
    ['no `iat`', { iat: undefined }],
    ['an expiry within the tolerance', { exp: NOW - 59 }],
    ['a time in the future within the tolerance', { nbf: NOW + 60, iat: NOW + 60 }],
    [
      'the issuer of its tenant',
      { iss: 'https://id.test/t-1', tid: 't-1' },
      { issuer: 'https://id.test/{tenantid}' },
    ],
    [
      'a tenant with a `$`',
      { iss: 'https://id.test/$&', tid: '$&' },
      { issuer: 'https://id.test/{tenantid}' },
    ],
    ['any nonce if none is compared', { nonce: 'other' }, { nonce: undefined }],
    [
      'no nonce if none was asked for',
      { nonce: undefined },
      { nonce: { value: 'n-secret', isRequired: false } },
    ],
  ])('may have %s', (_what, differences, options) => {
    expect(checked({ ...claims, ...differences }, options)).toMatchObject({ claims: { sub: 'alice' } });
  });

  it.each<[string, object, object, Partial<IdTokenExpectations>?]>([
    ['for another client', { aud: 'other' }, { claim: 'aud', expected: 'client', received: 'other' }],
    ['for other clients', { aud: ['a', 'b'] }, { claim: 'aud', expected: 'client', received: 'a b' }],
    ['without an audience', { aud: [] }, { claim: 'aud', expected: 'client', received: '' }],
    ['with an audience of another type', { aud: 7 }, { claim: 'aud' }],
    [
      'for further audiences that the options do not name',
      { aud: ['client', 'named', 'other'] },
      { claim: 'aud', expected: 'client named', received: 'client named other' },
      { audiences: ['named'] },
    ],
    [
      'with another authorized party',
      { aud: ['client', 'other'], azp: 'other' },
      { claim: 'azp', expected: 'client', received: 'other' },
    ],
    [
      'with another authorized party beside the only audience',
      { azp: 'other' },
      { claim: 'azp', expected: 'client', received: 'other' },
    ],
    [
      'with an authorized party that the options name, beside audiences that they do not',
      { aud: ['client', 'third'], azp: 'other' },
      { claim: 'aud', expected: 'client other', received: 'client third' },
      { audiences: ['other'] },
    ],
    [
      'of another issuer',
      { iss: 'https://id.test/' },
      { claim: 'iss', expected: 'https://id.test', received: 'https://id.test/' },
    ],
    [
      'of another tenant',
      { iss: 'https://id.test/t-2', tid: 't-1' },
      { claim: 'iss', expected: 'https://id.test/t-1', received: 'https://id.test/t-2' },
      { issuer: 'https://id.test/{tenantid}' },
    ],
    [
      'without a tenant at an issuer with several',
      { iss: 'https://id.test/t-1' },
      { claim: 'iss', expected: 'https://id.test/{tenantid}', received: 'https://id.test/t-1' },
      { issuer: 'https://id.test/{tenantid}' },
    ],
    ['without an issuer', { iss: undefined }, { claim: 'iss' }],
    ['without a subject', { sub: undefined }, { claim: 'sub' }],
    ['with an empty subject', { sub: '' }, { claim: 'sub' }],
    ['with a number for a subject', { sub: 7 }, { claim: 'sub' }],
    [
      'that has expired',
      { exp: NOW - 60 },
      { claim: 'exp', expected: 'after 2027-01-15T07:59:00.000Z', received: '2027-01-15T07:59:00.000Z' },
    ],
    ['without an expiry', { exp: undefined }, { claim: 'exp', expected: 'after 2027-01-15T07:59:00.000Z' }],
    [
      'with an expiry that is no time',
      { exp: 'soon' },
      { claim: 'exp', expected: 'after 2027-01-15T07:59:00.000Z', received: 'no time' },
    ],
    [
      'that is not valid yet',
      { nbf: NOW + 61 },
      { claim: 'nbf', expected: 'at most 2027-01-15T08:01:00.000Z', received: '2027-01-15T08:01:01.000Z' },
    ],
    ['with another nonce', { nonce: 'n-other' }, { claim: 'nonce' }],
    ['without a nonce', { nonce: undefined }, { claim: 'nonce' }],
    [
      'with another nonce although none was asked for',
      { nonce: 'n-other' },
      { claim: 'nonce' },
      { nonce: { value: 'n-secret', isRequired: false } },
    ],
  ])(
    '%s is refused, and the fault names claim and values [security 12]',
    (_what, differences, fault, options) => {
      expect(checked({ ...claims, ...differences }, options)).toEqual({
        fault: { reason: 'id_token_claim', ...fault },
      });
    },
  );

  it.each<[string, unknown, string]>([
    ['that is encrypted', 'header.key.iv.text.tag', 'id_token_encrypted'],
    ['of one part', 'nonsense', 'id_token_malformed'],
    ['of nothing', '', 'id_token_malformed'],
    ['that is no text', { payload: claims }, 'id_token_malformed'],
    ['whose claims are not JSON', `${idToken(claims).split('.')[0]}.e30x.y`, 'id_token_malformed'],
    ['whose claims are a list', idToken([claims]), 'id_token_malformed'],
    ['whose claims are nothing', idToken(null), 'id_token_malformed'],
    ['without an algorithm', idToken(claims, {}), 'id_token_malformed'],
    ['with a critical extension', idToken(claims, { alg: 'ES256', crit: ['b64'] }), 'id_token_malformed'],
  ])('%s is refused', (_what, token, reason) => {
    expect(checkIdToken(token, expectations)).toEqual({ fault: { reason } });
  });

  it('has one of the accepted algorithms, and never `none`', () => {
    const algorithmOf = (alg: string, algorithms?: readonly string[]) =>
      checkIdToken(idToken(claims, { alg }), { ...expectations, algorithms });
    expect(algorithmOf('HS256')).toHaveProperty('claims');
    expect(algorithmOf('HS256', ['RS256', 'HS256'])).toHaveProperty('claims');
    expect(algorithmOf('HS256', ['RS256', 'ES256'])).toEqual({
      fault: { reason: 'id_token_algorithm', expected: 'RS256 ES256', received: 'HS256' },
    });
    expect(algorithmOf('none')).toMatchObject({ fault: { reason: 'id_token_algorithm', received: 'none' } });
    expect(algorithmOf('None')).toMatchObject({ fault: { reason: 'id_token_algorithm', received: 'None' } });
    expect(algorithmOf('none', ['none'])).toMatchObject({
      fault: { reason: 'id_token_algorithm', expected: 'any but none' },
    });
    expect(algorithmOf('none', ['none', 'RS256'])).toMatchObject({ fault: { expected: 'RS256' } });
  });
});

describe('any text in place of an ID token', () => {
  const part = fc.oneof(
    fc.string(),
    fc.json().map((json) => Buffer.from(json).toString('base64url')),
    fc.constantFrom(...idToken(claims).split('.')),
  );

  it('has a fault or the subject, and never throws', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), fc.boolean(), (parts, isRefresh) => {
        const result = checkIdToken(parts.join('.'), { ...expectations, isRefresh });
        if ('claims' in result) expect(result.claims).toEqual(claims);
        else expect(result.fault.reason).toMatch(/^id_token_/);
      }),
    );
  });
});

describe('the ID token of a refresh', () => {
  const refreshed = (differences: object) => checked({ ...claims, ...differences }, { isRefresh: true });

  it('identifies the user, whatever its times, its nonce and its further audiences [security 23]', () => {
    const stale = { exp: 1, nbf: NOW + 999, nonce: 'other', aud: ['other', 'client'] };
    expect(refreshed(stale)).toMatchObject({ claims: { sub: 'alice' } });
  });

  it.each<[string, object, string]>([
    ['for another client', { aud: 'other' }, 'aud'],
    ['of another issuer', { iss: 'https://other.test' }, 'iss'],
    ['without a subject', { sub: undefined }, 'sub'],
  ])('%s is refused [security 23]', (_what, differences, claim) => {
    expect(refreshed(differences)).toMatchObject({ fault: { reason: 'id_token_claim', claim } });
  });
});
