import { webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import { SessionError } from '../errors.js';

/** The algorithms of client assertions (RFC 7518 section 3.1, RFC 8037). */
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

/** A private key as a JSON Web Key (RFC 7517, RFC 7518 section 6). Not every version of `@types/node` has such a type. */
export interface ClientAssertionKey {
  readonly kty?: string;
  readonly alg?: string;
  readonly kid?: string;
  readonly use?: string;
  readonly key_ops?: string[];
  readonly ext?: boolean;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
  readonly d?: string;
  readonly p?: string;
  readonly q?: string;
  readonly dp?: string;
  readonly dq?: string;
  readonly qi?: string;
}

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
 * Client authentication with a private key (RFC 7523). The key is imported for signing only.
 * @throws SessionError `configuration` if the key does not match its `alg`
 */
export async function keyAuthentication(jwk: ClientAssertionKey): Promise<oidc.ClientAuth> {
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
