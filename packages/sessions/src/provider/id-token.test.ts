import { describe, expect, it } from 'vitest';
import { refreshedClaims } from './id-token.js';

const claims = { iss: 'https://id.test', sub: 'alice', aud: 'client' };

function idToken(payload: unknown): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'ES256' })}.${part(payload)}.signature`;
}

describe('the ID token of a refresh', () => {
  it('contains the user and the issuer [security 23]', () => {
    expect(refreshedClaims(idToken({ ...claims, exp: 1, name: 'Alice' }), 'client')).toEqual({
      issuer: 'https://id.test',
      identity: { subject: 'alice' },
    });
  });

  it('contains its tenant, if any', () => {
    expect(refreshedClaims(idToken({ ...claims, tid: 't-1' }), 'client')).toMatchObject({ tenant: 't-1' });
    expect(refreshedClaims(idToken({ ...claims, tid: 7 }), 'client')).toEqual({
      issuer: 'https://id.test',
      identity: { subject: 'alice' },
    });
  });

  it('may have further audiences', () => {
    const shared = idToken({ ...claims, aud: ['other', 'client'] });
    expect(refreshedClaims(shared, 'client')).toMatchObject({ identity: { subject: 'alice' } });
  });

  it('may name a user in any script', () => {
    expect(refreshedClaims(idToken({ ...claims, sub: 'Ælfrīc-日本' }), 'client')?.identity.subject).toBe(
      'Ælfrīc-日本',
    );
  });

  it.each<[string, unknown]>([
    ['meant for another client', idToken({ ...claims, aud: 'other' })],
    ['meant for other clients', idToken({ ...claims, aud: ['other', 'clients'] })],
    ['without an audience', idToken({ ...claims, aud: [] })],
    ['without an audience', idToken({ ...claims, aud: undefined })],
    ['without an issuer', idToken({ ...claims, iss: undefined })],
    ['without a subject', idToken({ ...claims, sub: undefined })],
    ['with an empty subject', idToken({ ...claims, sub: '' })],
    ['with a number for a subject', idToken({ ...claims, sub: 7 })],
    ['about nothing', idToken(null)],
    ['that is a list', idToken([claims])],
    ['that is encrypted', 'header.key.iv.text.tag'],
    ['of one part', 'nonsense'],
    ['of nothing', ''],
    ['that is no text', { payload: claims }],
    ['that is not JSON', `x.${Buffer.from('{').toString('base64url')}.y`],
  ])('%s is ignored [security 23]', (_what, token) => {
    expect(refreshedClaims(token, 'client')).toBeUndefined();
  });
});
