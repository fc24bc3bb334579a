import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** The keys of the provider (RFC 7517), for its logout tokens. */
export const JWKS_ADDRESS = 'https://keys.provider.test/jwks';
export const JWKS = { keys: [{ ...publicKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }] };

/** A user, or a session of one, at the provider. */
export interface LoggedOut {
  readonly sub?: string;
  readonly sid?: string;
}

/** Signs a logout token (OpenID Connect Back-Channel Logout section 2.4). */
export function logoutToken(issuer: string, audience: string, who: LoggedOut): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const claims = {
    ...{ iss: issuer, aud: audience, iat: nowSeconds, exp: nowSeconds + 120, jti: randomUUID() },
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    ...who,
  };
  const input = `${encode({ alg: 'RS256', typ: 'logout+jwt' })}.${encode(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
}
