import { type JsonWebKey, webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';

/** What the JWK of a client may have for its `alg` (RFC 7518 section 3.1, RFC 8037). */
export const KEY_ALGORITHM_NAMES = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
] as const;

/** A private key as a JWK (RFC 7517). */
export type ClientAssertionKey = JsonWebKey & { readonly alg?: string; readonly kid?: string };

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
 * The way to authenticate with a private key (RFC 7523), for signing only.
 * @throws SessionError `configuration` when the key does not fit its `alg`
 */
export async function keyAuthentication(jwk: ClientAssertionKey): Promise<oidc.ClientAuth> {
  const { alg, kid } = jwk;
  // The options have been checked for it.
  const algorithm = KEY_ALGORITHMS[alg as KeyAlgorithm];
  // What the platform says of a key it cannot use might quote it.
  const key = await webcrypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign']).catch(() => undefined);
  if (!key) {
    throw new SessionError(
      'configuration',
      `\`clientKey\` is no private key for ${alg}. Give the JWK as it was generated.`,
    );
  }
  return oidc.PrivateKeyJwt(kid === undefined ? { key } : { key, kid }, {
    // The library would call EdDSA Ed25519 (RFC 9864), which few providers know yet.
    [oidc.modifyAssertion]: (header) => {
      header.alg = alg;
    },
  });
}
