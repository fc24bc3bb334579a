import { describe, expect, it } from 'vitest';
import { providerSettings } from './provider-settings.js';
import { UNCHECKED_ID_TOKEN } from './token-answers.js';
import { grantedIn, MAX_GRANTED_SCOPE_LENGTH, MAX_GRANTED_SCOPES } from './token-response.js';

const settings = providerSettings({
  issuer: 'https://id.test',
  clientId: 'client',
  scopes: ['read', 'write'],
});

function scopesOf(scope: string) {
  const response = { access_token: 'a', token_type: 'bearer' as const, scope };
  const { scopes = [] } = grantedIn(response, settings, { requestedAtMs: 0, scopes: settings.scopes });
  return scopes;
}

describe('the scopes of a token response', () => {
  it('are kept up to a number, the requested ones first [security 40]', () => {
    const many = Array.from({ length: 20_000 }, (_, index) => `s${index}`);
    const kept = scopesOf([...many, 'write'].join(' '));
    expect(kept).toHaveLength(MAX_GRANTED_SCOPES);
    expect(kept.slice(0, 2)).toEqual(['write', 's0']);
  });

  it('have a maximum length unless they were requested [security 40]', () => {
    const longest = 'a'.repeat(MAX_GRANTED_SCOPE_LENGTH);
    expect(scopesOf(`read ${longest} ${longest}a`)).toEqual(['read', longest]);
  });

  it.each<[string, string, { idToken?: string; isRefresh?: boolean }, string[]]>([
    ['of a resource', 'notes', { idToken: 'a.b.c' }, ['notes', 'openid', 'profile']],
    ['of a resource, after a refresh', 'notes', { isRefresh: true }, ['notes', 'openid', 'profile']],
    ['without an ID token', 'notes', {}, ['notes']],
    ['of all access, without a refused one', 'openid notes', { idToken: 'a.b.c' }, ['openid', 'notes']],
  ])(
    'contain those for claims about the user if they are %s',
    (_what, scope, { idToken, isRefresh }, all) => {
      const response = {
        access_token: 'a',
        token_type: 'bearer' as const,
        scope,
        [UNCHECKED_ID_TOKEN]: idToken,
      };
      const request = { requestedAtMs: 0, scopes: ['openid', 'profile', 'notes', 'other'] };
      const granted = grantedIn(response, settings, { ...request, ...(isRefresh && { isRefresh }) });
      expect(granted.scopes).toEqual(all);
    },
  );
});
