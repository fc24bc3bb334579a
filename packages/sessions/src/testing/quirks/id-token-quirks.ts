import type { Quirk, QuirkHooks } from '../quirk-hooks.js';

/** What is in an ID token, or in its place. */
export type IdTokenQuirk =
  | 'no_nonce'
  | 'wrong_nonce'
  | 'unasked_id_token'
  | 'aud_list_without_azp'
  | 'wrong_azp'
  | 'clock_behind_60'
  | 'clock_ahead_60'
  | 'id_token_ps256'
  | 'id_token_es256'
  | 'id_token_eddsa'
  | 'id_token_hs256'
  | 'id_token_unannounced_es256'
  | 'alg_none'
  | 'id_token_encrypted'
  | 'no_id_token';

type Claims = Record<string, unknown>;

function claimsQuirk(quirk: Pick<Quirk, 'does' | 'seen' | 'settings'>, claims: QuirkHooks['claims']): Quirk {
  return { ...quirk, provider: { idTokens: true }, hooks: { claims } };
}

function algorithm(alg: string, provider: Quirk['provider'] = {}): Quirk {
  return {
    does: `signs ID tokens with ${alg}`,
    seen: 'own',
    provider: { idTokens: true, ...provider },
    hooks: {
      metadata: (metadata) => ({ ...metadata, id_token_signing_alg_values_supported: [alg] }),
      header: (header) => ({ ...header, alg }),
    },
  };
}

const movedBy =
  (seconds: number): QuirkHooks['claims'] =>
  (claims) => ({
    ...claims,
    iat: Number(claims.iat) + seconds,
    nbf: Number(claims.iat) + seconds,
    exp: Number(claims.exp) + seconds,
  });

const OTHER_CLIENT = 'https://other.test';

export const ID_TOKEN_QUIRKS: Readonly<Record<IdTokenQuirk, Quirk>> = {
  no_nonce: claimsQuirk(
    {
      does: 'issues ID tokens without a nonce',
      seen: 'https://github.com/authlib/authlib/issues/763',
      settings: { nonce: 'off' },
    },
    ({ nonce: _, ...claims }) => claims,
  ),
  wrong_nonce: claimsQuirk(
    { does: 'issues ID tokens with the nonce of another login', seen: 'own' },
    (claims) => ({ ...claims, nonce: 'of-another-login' }),
  ),
  unasked_id_token: {
    does: 'issues ID tokens also without the scope `openid`',
    seen: 'https://github.com/google/google-api-javascript-client/issues/754',
    hooks: { tokens: (answer, { idToken }) => ({ ...answer, id_token: idToken() }) },
  },
  aud_list_without_azp: claimsQuirk(
    {
      does: 'names a second audience in ID tokens, without `azp`',
      seen: 'https://github.com/panva/openid-client/issues/569',
      settings: { idTokenAudiences: [OTHER_CLIENT] },
    },
    (claims, { facts }) => ({ ...claims, aud: [facts.clientId, OTHER_CLIENT] }),
  ),
  wrong_azp: claimsQuirk(
    { does: 'issues ID tokens for another party (`azp`)', seen: 'own' },
    (claims, { facts }) => ({ ...claims, aud: [facts.clientId, OTHER_CLIENT], azp: OTHER_CLIENT }),
  ),
  clock_behind_60: claimsQuirk(
    { does: 'has a clock that is 60 s behind', seen: 'https://github.com/panva/openid-client/issues/454' },
    (claims: Claims, issue) => movedBy(-60)({ ...claims, exp: Number(claims.iat) + 30 }, issue),
  ),
  clock_ahead_60: claimsQuirk(
    { does: 'has a clock that is 60 s ahead', seen: 'https://github.com/panva/openid-client/issues/454' },
    movedBy(60),
  ),
  id_token_ps256: algorithm('PS256'),
  id_token_es256: algorithm('ES256'),
  id_token_eddsa: algorithm('EdDSA'),
  id_token_hs256: algorithm('HS256', { clientSecret: 'a-secret-of-at-least-32-characters' }),
  id_token_unannounced_es256: {
    does: 'signs ID tokens with ES256, and announces RS256',
    seen: 'own',
    provider: { idTokens: true },
    settings: { idTokenAlgorithms: ['ES256'] },
    hooks: { header: (header) => ({ ...header, alg: 'ES256' }) },
  },
  alg_none: {
    does: 'issues ID tokens without a signature',
    seen: 'own',
    provider: { idTokens: true },
    hooks: { header: (header) => ({ ...header, alg: 'none' }) },
  },
  id_token_encrypted: {
    does: 'encrypts ID tokens',
    seen: 'own',
    provider: { idTokens: true },
    hooks: {
      // The compact serialization of RFC 7516, which only the client's key could open.
      idToken: () =>
        [JSON.stringify({ alg: 'RSA-OAEP-256', enc: 'A256GCM' }), 'key', 'iv', 'text', 'tag']
          .map((part) => Buffer.from(part).toString('base64url'))
          .join('.'),
    },
  },
  no_id_token: {
    does: 'issues no ID token',
    seen: 'own',
    provider: { idTokens: true },
    hooks: { tokens: ({ id_token: _, ...answer }) => answer },
  },
};
