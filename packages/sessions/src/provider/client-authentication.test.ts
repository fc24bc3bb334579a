import { generateKeyPairSync } from 'node:crypto';
import type { ServerMetadata } from 'openid-client';
import { describe, expect, it } from 'vitest';
import { clientAuthentication } from './client-authentication.js';
import type { ProviderOptions } from './provider-options.js';
import { providerSettings } from './provider-settings.js';

const ISSUER = 'https://id.test';

/** What a token request contains. */
async function authenticated(
  options: Partial<ProviderOptions>,
  metadata: Partial<ServerMetadata> = {},
): Promise<{ readonly header: string | null; readonly form: URLSearchParams }> {
  const settings = providerSettings({ issuer: ISSUER, clientId: 'client', ...options });
  const authenticate = await clientAuthentication(settings);
  const headers = new Headers();
  const form = new URLSearchParams();
  const server = { issuer: ISSUER, token_endpoint: `${ISSUER}/token`, ...metadata };
  await Promise.resolve(authenticate(server, { client_id: settings.clientId }, form, headers));
  return { header: headers.get('authorization'), form };
}

const decoded = (header: string | null) =>
  Buffer.from(header?.replace(/^Basic /, '') ?? '', 'base64').toString('utf8');

const jsonIn = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));

describe('client_secret_basic', () => {
  it.each([
    ['confidential-client', 'a-b_c.d*e', 'confidential-client:a-b_c.d*e'],
    ['a client', 'a:b%c~d&e=f', 'a+client:a%3Ab%25c%7Ed%26e%3Df'],
    ['客户', 'ü', '%E5%AE%A2%E6%88%B7:%C3%BC'],
  ])('encodes id and secret like a form, and no more than that: %s', async (clientId, clientSecret, sent) => {
    expect(decoded((await authenticated({ clientId, clientSecret })).header)).toBe(sent);
  });

  it('is not replaced if the options name it', async () => {
    const given = { clientSecret: 's', clientAuthentication: 'client_secret_basic' } as const;
    const methods = { token_endpoint_auth_methods_supported: ['client_secret_post'] };
    expect((await authenticated(given, methods)).header).toMatch(/^Basic /);
  });
});

describe('client_secret_basic_raw', () => {
  it('sends id and secret as they are, in UTF-8', async () => {
    const options = { clientAuthentication: 'client_secret_basic_raw', clientId: 'a b' } as const;
    const { header } = await authenticated({ ...options, clientSecret: 'ü%~ 1' });
    expect(decoded(header)).toBe('a b:ü%~ 1');
  });
});

describe('a client with a secret', () => {
  it.each([
    ['Basic without an announcement', undefined, false],
    ['Basic if it is announced, too', ['client_secret_post', 'client_secret_basic'], false],
    ['Basic if neither is announced', ['private_key_jwt'], false],
    ['the form if that is announced and Basic is not', ['client_secret_post', 'none'], true],
  ])('uses %s', async (_what, methods, isForm) => {
    const announced = methods && { token_endpoint_auth_methods_supported: methods };
    const { header, form } = await authenticated({ clientSecret: 's' }, announced);
    expect(form.get('client_secret')).toBe(isForm ? 's' : null);
    expect(header === null).toBe(isForm);
  });
});

describe('private_key_jwt', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const clientKey = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', kid: 'k-1' };

  const assertionOf = async (clientAssertion?: ProviderOptions['clientAssertion']) => {
    const { form } = await authenticated({ clientKey, clientAssertion });
    const [header, payload] = (form.get('client_assertion') ?? '').split('.').slice(0, 2).map(jsonIn);
    return { header, payload };
  };

  it.each([
    ['the issuer', undefined, ISSUER],
    ['the token endpoint', 'token_endpoint', `${ISSUER}/token`],
    ['what the options say', 'https://id.test/other', 'https://id.test/other'],
  ])('has the audience %s', async (_what, audience, aud) => {
    const { payload } = await assertionOf(audience === undefined ? undefined : { audience });
    expect(payload).toMatchObject({ aud, iss: 'client', sub: 'client' });
  });

  it('has further header fields, but the algorithm of the key', async () => {
    const { header } = await assertionOf({ header: { x5t: 'thumbprint' } });
    expect(header).toEqual({ alg: 'ES256', kid: 'k-1', x5t: 'thumbprint' });
  });

  it('has no time before which it is not valid, which a slow clock would refuse', async () => {
    expect((await assertionOf()).payload).not.toHaveProperty('nbf');
  });
});
