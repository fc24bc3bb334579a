import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

let rsaKey: KeyObject | undefined;
let ecKey: KeyObject | undefined;

/** Signs a JWT with the algorithm of its header, RS256, ES256 or HS256. Any other: without a signature. */
export function signedJwt(
  header: Readonly<Record<string, unknown>>,
  claims: object,
  clientSecret = '',
): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${signature(`${header.alg}`, input, clientSecret)}`;
}

function signature(alg: string, input: string, clientSecret: string): string {
  switch (alg) {
    case 'RS256':
      rsaKey ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
      return sign('sha256', Buffer.from(input), rsaKey).toString('base64url');
    case 'ES256':
      ecKey ??= generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
      return sign('sha256', Buffer.from(input), { key: ecKey, dsaEncoding: 'ieee-p1363' }).toString(
        'base64url',
      );
    case 'HS256':
      return createHmac('sha256', clientSecret).update(input).digest('base64url');
    default:
      return '';
  }
}
