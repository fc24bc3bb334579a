import { webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';
import type { ClientAssertionKey, KEY_ALGORITHM_NAMES } from './client-assertion-key.js';
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
 * @throws SessionError `configuration` if the key does not match its `alg`
 */
export async function clientAuthentication({
  clientAuthentication: method,
  clientSecret,
  clientKey,
}: ProviderSettings): Promise<oidc.ClientAuth> {
  switch (method) {
    case 'client_secret_basic':
    case 'client_secret_basic_raw':
      return oidc.ClientSecretBasic(clientSecret);
    case 'client_secret_post':
      return oidc.ClientSecretPost(clientSecret);
    case 'private_key_jwt':
      return keyAuthentication(clientKey ?? {});
    case 'none':
      return oidc.None();
  }
}

/**
 * Client authentication with a private key (RFC 7523). The key is imported for signing only.
 * @throws SessionError `configuration` if the key does not match its `alg`
 */
async function keyAuthentication(jwk: ClientAssertionKey): Promise<oidc.ClientAuth> {
  const { alg, kid } = jwk;
  // `providerSettings` checks the algorithm.
  const algorithm = KEY_ALGORITHMS[alg as KeyAlgorithm];
  // The error of the platform may quote the key.
  const key = await webcrypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign']).catch(() => undefined);
  if (!key) {
    throw new SessionError(
      'configuration',
      `\`clientKey\` is not a private key for ${alg}. Pass the JWK as it was generated.`,
    );
  }
  return oidc.PrivateKeyJwt(kid === undefined ? { key } : { key, kid }, {
    // The library would write Ed25519 for EdDSA (RFC 9864), which few providers accept.
    [oidc.modifyAssertion]: (header) => {
      header.alg = alg;
    },
  });
}
