import { describe, expect, it } from 'vitest';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';
import { sharedClientKey } from './shared-client-key.js';

const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd', alg: 'ES256' };
const honest: ProviderOptions = { name: 'honest', issuer: 'https://a.test', clientId: 'mcp', clientKey: key };
const other: ProviderOptions = { ...honest, name: 'other', issuer: 'https://b.test' };
const endpoints = { authorization: 'https://a.test/authorize', token: 'https://a.test/token' };
const atTokenEndpoint = { clientAssertion: { audience: 'token_endpoint' } };
const pkce = 'S256';

const sharingOf = (...options: ProviderOptions[]) =>
  sharedClientKey(options.map((each) => providerSettings(each)));

describe('two providers with one key', () => {
  it.each<[string, ProviderOptions, ProviderOptions]>([
    ['the token endpoint of discovered metadata', honest, { ...other, ...atTokenEndpoint }],
    [
      'the issuer of metadata whose address is given',
      { ...honest, issuer: 'https://a.test/.well-known/openid-configuration' },
      other,
    ],
    ['the issuer of the other one', honest, { ...other, clientAssertion: { audience: 'https://a.test' } }],
    [
      'one token endpoint that is configured for both',
      { ...honest, ...atTokenEndpoint, endpoints, pkce },
      { ...other, ...atTokenEndpoint, endpoints, pkce },
    ],
  ])('could use each other’s assertions with the audience of %s', (_what, one, two) => {
    expect(sharingOf(one, two)).toEqual(['honest', 'other']);
    expect(sharingOf({ ...honest, name: 'first', issuer: 'https://c.test' }, two, one)).toHaveLength(2);
  });

  it.each<[string, ProviderOptions, ProviderOptions]>([
    ['their issuers are the audiences', honest, other],
    [
      'the audience is configured',
      honest,
      { ...other, clientAssertion: { audience: 'https://b.test/token' } },
    ],
    [
      'the token endpoint is configured',
      { ...honest, ...atTokenEndpoint, endpoints, pkce },
      { ...other, clientAssertion: { audience: 'https://b.test/token' } },
    ],
    ['they are the same', honest, { ...other, ...atTokenEndpoint, issuer: 'https://a.test' }],
    ['one has another key', honest, { ...other, ...atTokenEndpoint, clientKey: { ...key, d: 'e' } }],
    [
      'one has a secret',
      honest,
      { ...other, clientKey: undefined, clientSecret: 'secret', issuer: 'https://b.test/.well-known/x' },
    ],
  ])('cannot if %s', (_what, one, two) => {
    expect(sharingOf(one, two)).toBeUndefined();
  });
});
