import { describe, expect, it } from 'vitest';
import { systemRandom } from '../vault/random.js';
import { FAILURE_TEXTS, PROVIDER_FAILURE_REASONS } from './provider-failure-texts.js';
import {
  describeFailure,
  failureIn,
  ProviderError,
  type ProviderFailure,
  printable,
  redacted,
  settingFor,
} from './provider-failures.js';

const FAILURE: ProviderFailure = { provider: 'idp', step: 'token', reason: 'timeout', outcome: 'lost' };

describe('texts of a provider', () => {
  it('lose what is not printable, and what is more than the limit', () => {
    expect(printable('a\u0000b\u001b[31mc\r\nd\u202ee\u2028f\u200bg', 100)).toBe('ab[31mcdefg');
    expect(printable('😀'.repeat(5), 3)).toBe('😀😀😀');
    expect(printable(`${'\u0000'.repeat(1000)}x`, 5)).toBe('');
  });

  it('lose everything that could be a token [security 48]', () => {
    expect(redacted('The token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln is expired', 200)).toBe(
      'The token … is expired',
    );
    for (const token of ['M.R3_BAY.-CX*ab!cd*ef!gh*ij', '1|abcdefgh!ijklmnop%2Fqr', '$2y$10$abc!def&ghi=jkl'])
      expect(redacted(`The token "${token}" is expired`, 200)).toBe('The token "…" is expired');
    expect(redacted('AADSTS70011: The provided value is not valid.', 200)).toBe(
      'AADSTS70011: The provided value is not valid.',
    );
  });

  it.each([
    ['The code 7 is used', ['7'], 'The code … is used'],
    ['Section 4.7.1 of 2017', ['7'], 'Section 4.….1 of 2017'],
    ['secret=a%2Bb+c&x=a%2Bb%20c', ['a+b c'], 'secret=…&x=…'],
    ['pre12345678post', ['12345678'], 'pre…post'],
    ['preshortpost', ['short'], 'preshortpost'],
    ['one onetwo two', ['one', 'onetwo'], '… … two'],
    ['$& and $1', ['$&', '^'], '… and $1'],
    ['nothing', ['', 'x'], 'nothing'],
    ['x a\u200bb y', ['ab'], 'x … '],
    ['a-b', ['a-b'], '…'],
  ])('lose what the request contained: %j %j [security 48]', (text, secrets, shown) => {
    expect(redacted(text, 200, secrets)).toBe(shown);
  });

  it('contain no part of a token, wherever it is [security 48]', () => {
    for (let size = 20; size < 1000; size += 7) {
      const token = systemRandom(size).toString('base64url');
      const before = 'word '.repeat(size % 170);
      for (const text of [`${before}${token} x`, `${before}${[...token].join('\u0000')}`]) {
        const shown = redacted(text, 200);
        expect(shown.length).toBeLessThanOrEqual(200);
        expect(shown.replaceAll(/word|[ x…]/g, '')).toBe('');
      }
    }
  });
});

describe('a failure of a provider', () => {
  it.each(PROVIDER_FAILURE_REASONS)('has a text for users, and advice for operators: %s', (reason) => {
    const { short, advice, setting } = FAILURE_TEXTS[reason];
    // Parts of sentences: "Reason: …." and "Change …: …".
    expect(short).toMatch(/^[a-z].*[^.]$/);
    expect(advice).toMatch(/^[A-Z`].*\.$/);
    const text = describeFailure({ ...FAILURE, reason, step: 'discovery' });
    expect(text).toBe(
      `The discovery of "idp" failed: ${short}. ${setting === undefined ? '' : `Change ${setting}: `}${advice}`,
    );
  });

  it.each<[Partial<ProviderFailure>, string | undefined]>([
    [{ reason: 'id_token_claim', claim: 'nonce' }, 'nonce'],
    [{ reason: 'id_token_claim', claim: 'aud' }, 'idTokenAudiences'],
    [{ reason: 'id_token_claim', claim: 'exp' }, 'clockToleranceSeconds'],
    [{ reason: 'id_token_claim', claim: 'iss' }, 'issuer'],
    [{ reason: 'id_token_claim', claim: 'sub' }, 'issuer, clientId'],
    [{ reason: 'authorization_error', oauthError: 'invalid_scope' }, 'scopes'],
    [{ reason: 'token_error', oauthError: 'invalid_target' }, 'resource'],
    [{ reason: 'token_error', oauthError: 'constructor' }, 'clientAuthentication, endpoints'],
    [{ reason: 'client_rejected', step: 'token' }, 'clientId, clientSecret, clientAuthentication, pkce'],
    [{ reason: 'client_rejected', step: 'refresh' }, 'clientId, clientSecret, clientAuthentication'],
    [{ reason: 'grant_rejected', step: 'token' }, 'publicUrl'],
    [{ reason: 'grant_rejected', step: 'refresh' }, undefined],
    [{ reason: 'endpoint_missing', step: 'device' }, 'deviceFlow'],
    [{ reason: 'endpoint_missing', step: 'user_info' }, 'scopes, identitySource'],
    [{ reason: 'provider_busy' }, undefined],
  ])('%j names the setting %s', (failure, setting) => {
    expect(settingFor({ ...FAILURE, ...failure })).toBe(setting);
  });

  it('as an error says what to do, and contains nothing that the provider wrote', () => {
    const unknown = { oauthError: 'made_up', oauthDescription: 'canary', received: 'canary' };
    const errors = [
      new ProviderError({ ...FAILURE, ...unknown, outcome: 'unavailable' }),
      new ProviderError({ ...FAILURE, ...unknown, reason: 'token_error', outcome: 'refused' }),
      new ProviderError({ ...FAILURE, ...unknown, reason: 'authorization_denied', outcome: 'denied' }),
    ];
    expect(errors.map(({ code, retryAfterSeconds }) => [code, retryAfterSeconds])).toEqual([
      ['provider_unavailable', 60],
      ['provider_refused', undefined],
      ['provider_refused', undefined],
    ]);
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringContaining('Try again in a minute.'),
      expect.stringContaining('Ask the operator of this server to check clientAuthentication, endpoints'),
      expect.stringContaining('Ask the user before you try again.'),
    ]);
    for (const { message } of errors) expect(message).not.toMatch(/canary|made_up/);
    const known = new ProviderError({ ...FAILURE, reason: 'token_error', oauthError: 'invalid_scope' });
    expect(known.message).toContain('(invalid_scope)');
  });

  it.each(PROVIDER_FAILURE_REASONS)('says which reason the operator finds in the log: %s', (reason) => {
    for (const outcome of ['unavailable', 'lost', 'refused', 'grant_revoked'] as const) {
      const { message } = new ProviderError({ ...FAILURE, reason, outcome });
      expect(message).toMatch(/the operator of this server/);
      expect(message.endsWith(`: the log has the reason \`${reason}\`.`)).toBe(true);
    }
  });

  it('is found in the causes of an error', () => {
    const cause = new ProviderError(FAILURE);
    expect(failureIn(new Error('?', { cause: new Error('!', { cause }) }))).toBe(FAILURE);
    expect(failureIn(new Error('?'))).toBeUndefined();
  });
});
