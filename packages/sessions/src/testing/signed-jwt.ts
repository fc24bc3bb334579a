import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

const newKey = {
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ec: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ed25519: () => generateKeyPairSync('ed25519').privateKey,
};
const keys = new Map<keyof typeof newKey, KeyObject>();

function keyOf(type: keyof typeof newKey): KeyObject {
  const key = keys.get(type) ?? newKey[type]();
  keys.set(type, key);
  return key;
}

/**
 * Signs a JWT with the algorithm of its header: RS256, PS256, ES256, EdDSA (Ed25519) or HS256. Any other: without a
 * signature.
 */
export function signedJwt(
  header: Readonly<Record<string, unknown>>,
  claims: object,
  clientSecret = '',
): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${signature(`${header.alg}`, Buffer.from(input), clientSecret).toString('base64url')}`;
}

function signature(alg: string, input: Buffer, clientSecret: string): Buffer {
  switch (alg) {
    case 'RS256':
      return sign('sha256', input, keyOf('rsa'));
    case 'PS256':
      return sign('sha256', input, {
        key: keyOf('rsa'),
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      });
    case 'ES256':
      return sign('sha256', input, { key: keyOf('ec'), dsaEncoding: 'ieee-p1363' });
    case 'EdDSA':
      return sign(null, input, keyOf('ed25519'));
    case 'HS256':
      return createHmac('sha256', clientSecret).update(input).digest();
    default:
      return Buffer.alloc(0);
  }
}
