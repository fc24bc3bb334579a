import { webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import { ProviderError } from '../session/provider-failures.js';
import { secretBytes } from '../vault/memory.js';
import type { KEY_ALGORITHM_NAMES } from './client-assertion-key.js';
import type { ProviderSettings } from './provider-settings.js';

type KeyAlgorithm = (typeof KEY_ALGORITHM_NAMES)[number];
type ImportParams = webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams | webcrypto.Algorithm;

const KEY_ALGORITHMS: Readonly<Record<KeyAlgorithm, ImportParams>> = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384' },
  ES512: { name: 'ECDSA', namedCurve: 'P-521' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  RS384: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' },
  RS512: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  PS384: { name: 'RSA-PSS', hash: 'SHA-384' },
  PS512: { name: 'RSA-PSS', hash: 'SHA-512' },
  EdDSA: { name: 'Ed25519' },
};

/**
 * The client authentication of a provider (OpenID Connect Core section 9).
 * @throws ProviderError if the key does not match its `alg`
 */
export async function clientAuthentication(settings: ProviderSettings): Promise<oidc.ClientAuth> {
  const { clientAuthentication: method, isAuthenticationGiven, clientSecret = '' } = settings;
  switch (method) {
    case 'client_secret_basic':
      return isAuthenticationGiven ? basicAuthentication(clientSecret) : announced(clientSecret);
    case 'client_secret_basic_raw':
      return basicAuthentication(clientSecret, (value) => value);
    case 'client_secret_post':
      return oidc.ClientSecretPost(clientSecret);
    case 'private_key_jwt':
      return keyAuthentication(settings);
    case 'none':
      return oidc.None();
  }
}

/**
 * HTTP Basic (RFC 6749 section 2.3.1). openid-client encodes `-`, `_`, `.` and `~`, too, which servers that compare the
 * header without decoding do not accept. The serializer of forms leaves the first three alone.
 */
function basicAuthentication(clientSecret: string, encode = formEncoded): oidc.ClientAuth {
  return (_as, { client_id: id }, _body, headers) => {
    const credentials = secretBytes(`${encode(id)}:${encode(clientSecret)}`).toString('base64');
    headers.set('authorization', `Basic ${credentials}`);
  };
}

function formEncoded(value: string): string {
  return new URLSearchParams([['', value]]).toString().slice(1);
}

/**
 * Basic, which every server with secrets has to support (RFC 6749 section 2.3.1), unless it announces the form only.
 */
function announced(clientSecret: string): oidc.ClientAuth {
  const basic = basicAuthentication(clientSecret);
  const post = oidc.ClientSecretPost(clientSecret);
  return (as, ...request) => {
    const methods = as.token_endpoint_auth_methods_supported ?? [];
    const isPostOnly = methods.includes('client_secret_post') && !methods.includes('client_secret_basic');
    return (isPostOnly ? post : basic)(as, ...request);
  };
}

/**
 * Client authentication with a private key (RFC 7523). The key is imported for signing only.
 * @throws ProviderError if the key does not match its `alg`
 */
async function keyAuthentication({
  name: provider,
  clientKey = {},
  clientAssertion,
}: ProviderSettings): Promise<oidc.ClientAuth> {
  const { alg, kid } = clientKey;
  // `providerSettings` checks the algorithm.
  const algorithm = KEY_ALGORITHMS[alg as KeyAlgorithm];
  // The error of the platform may quote the key.
  const key = await webcrypto.subtle
    .importKey('jwk', clientKey, algorithm, false, ['sign'])
    .catch(() => undefined);
  if (!key) {
    throw new ProviderError({
      provider,
      step: 'token',
      reason: 'client_key_invalid',
      outcome: 'refused',
      expected: `a private key for ${alg}`,
    });
  }
  const { audience, header: given } = clientAssertion;
  return (as, ...request) => {
    const authenticate = oidc.PrivateKeyJwt(kid === undefined ? { key } : { key, kid }, {
      [oidc.modifyAssertion]: (header, payload) => {
        // The library would write Ed25519 for EdDSA (RFC 9864), which few providers accept.
        Object.assign(header, given, { alg });
        if (audience !== 'issuer') payload.aud = audience === 'token_endpoint' ? as.token_endpoint : audience;
        // Optional (RFC 7523 section 3), and refused by a provider whose clock is behind.
        delete payload.nbf;
      },
    });
    return authenticate(as, ...request);
  };
}
