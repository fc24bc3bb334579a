import { shownClaim, type TokenFault } from './token-fault.js';

/** The types of access tokens: RFC 9068, RFC 8693, and those of older servers. */
const ACCESS_TOKEN_KINDS = new Set([
  'at+jwt',
  'application/at+jwt',
  'jwt',
  'bearer',
  'access',
  'access_token',
  'urn:ietf:params:oauth:token-type:access_token',
]);
const REFRESH_TOKEN_KIND = /refresh|offline|^rt(\+jwt)?$/;
const ID_TOKEN_KIND = /^id(\+jwt)?$|id[_-]?token/;
const KEY_BOUND_KIND = /dpop|^pop$|^mac$/;

/** Claims that always state the type of a token. */
const KIND_CLAIMS = ['typ', 'token_use', 'token_type'] as const;
/** Claims that state the type of a token at some servers only. */
const POSSIBLE_KIND_CLAIMS = ['type', 'purpose', 'use'] as const;

/**
 * Detects tokens that are not plain access tokens: ID tokens, refresh tokens and key-bound tokens.
 * @param claims of a JWT (RFC 9068) or an introspection response (RFC 7662)
 */
export function kindFault(claims: Readonly<Record<string, unknown>>): TokenFault | undefined {
  if (claims.cnf !== undefined && claims.cnf !== null) return KEY_BOUND;
  for (const name of KIND_CLAIMS) {
    const fault = statedKindFault(name, claims[name]);
    if (fault) return fault;
  }
  for (const name of POSSIBLE_KIND_CLAIMS) {
    const fault = statedKindFault(name, claims[name]);
    if (fault && fault.reason !== 'token_type') return fault;
  }
  return isIdToken(claims) ? ID_TOKEN : undefined;
}

/** The fault of a token that states its type in a claim; `undefined` for an access token, or without the claim. */
export function statedKindFault(name: string, value: unknown): TokenFault | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const kind = typeof value === 'string' ? value.toLowerCase() : '';
  if (ACCESS_TOKEN_KINDS.has(kind)) return undefined;
  if (REFRESH_TOKEN_KIND.test(kind)) return REFRESH_TOKEN;
  if (ID_TOKEN_KIND.test(kind)) return ID_TOKEN;
  if (KEY_BOUND_KIND.test(kind)) return KEY_BOUND;
  return {
    reason: 'token_type',
    fault: `Its type is not that of an access token: ${name} is ${shownClaim(value)}. Send an access token.`,
  };
}

/** Only ID tokens contain hashes of other tokens (OpenID Connect Core section 3.3.2.11). */
function isIdToken({
  at_hash,
  c_hash,
  s_hash,
  nonce,
  scope,
  scp,
  client_id,
}: Record<string, unknown>): boolean {
  if (at_hash !== undefined || c_hash !== undefined || s_hash !== undefined) return true;
  return nonce !== undefined && scope === undefined && scp === undefined && client_id === undefined;
}

const KEY_BOUND: TokenFault = {
  reason: 'key_bound',
  fault:
    'It is bound to a key (cnf: DPoP or mutual TLS), and this server cannot verify the proof. Request a bearer token without one.',
};
const REFRESH_TOKEN: TokenFault = {
  reason: 'refresh_token',
  fault: 'It is a refresh token. Send the access token that it is exchanged for.',
};
const ID_TOKEN: TokenFault = {
  reason: 'id_token',
  fault: 'It is an ID token. Send the access token that was issued with it.',
};
