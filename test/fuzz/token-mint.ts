import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { Flaw, Tokens } from './access-tokens.js';

const LIFETIME_SECONDS = 30 * 24 * 60 * 60;
const ANOTHER_RESOURCE = 'https://other.example/mcp';

/** Signs valid and flawed access tokens of an authorization server (RFC 9068). */
export class TokenMint {
  readonly #issuer: string;
  readonly #key: KeyObject = newKey();
  readonly #unknownKey: KeyObject = newKey();

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  /** RFC 7517. */
  get keySet(): object {
    return {
      keys: [{ ...createPublicKey(this.#key).export({ format: 'jwk' }), kid: 'a', alg: 'ES256', use: 'sig' }],
    };
  }

  /** Valid tokens of users for a resource. */
  tokens(members: readonly string[], guests: readonly string[], audience: string): Tokens {
    const good = (sub: string) => this.#signed({ sub, aud: audience });
    return { members: members.map(good), guests: guests.map(good), flawed: this.#flawed(audience) };
  }

  #flawed(aud: string): Tokens['flawed'] {
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub: 'intruder', aud };
    const [header = '', payload = ''] = this.#signed(claims).split('.');
    const nothing = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
    const made: Record<Exclude<Flaw, 'missing'>, string> = {
      expired: this.#signed({ ...claims, exp: now - 60 }),
      'not valid yet': this.#signed({ ...claims, nbf: now + 3600 }),
      'for another resource': this.#signed({ ...claims, aud: ANOTHER_RESOURCE }),
      'without an audience': this.#signed({ ...claims, aud: undefined }),
      'of another issuer': this.#signed({ ...claims, iss: 'https://evil.example' }),
      'with a forged signature': `${header}.${payload}.${Buffer.alloc(64, 7).toString('base64url')}`,
      unsigned: `${nothing}.${payload}.`,
      'of an unknown key': this.#signed(claims, { key: this.#unknownKey }),
      'an ID token': this.#signed({ ...claims, at_hash: 'a' }, { typ: 'JWT' }),
      'without a subject': this.#signed({ ...claims, sub: undefined }),
      malformed: `${header}.${payload.slice(1)}.x`,
      opaque: 'b3BhcXVl',
      empty: '',
    };
    return Object.fromEntries(Object.entries(made).map(([flaw, token]) => [flaw, `Bearer ${token}`]));
  }

  #signed(claims: object, { key = this.#key, typ = 'at+jwt' } = {}): string {
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, exp: now + LIFETIME_SECONDS };
    const payload = { iss: this.#issuer, client_id: 'fuzz', jti: 'x', ...times, ...claims };
    const signed = [{ alg: 'ES256', typ, kid: 'a' }, payload]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}
