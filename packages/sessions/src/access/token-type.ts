import { shownClaim, type TokenFault, tokenFault } from './token-fault.js';

/** Types of access tokens: RFC 9068, RFC 8693, and those of older servers. */
const ACCESS_TOKEN_TYPES = new Set([
  'at+jwt',
  'application/at+jwt',
  'jwt',
  'bearer',
  'access',
  'access_token',
  'urn:ietf:params:oauth:token-type:access_token',
]);
const REFRESH_TOKEN_TYPE = /refresh|offline|^rt(\+jwt)?$/;
const ID_TOKEN_TYPE = /^id(\+jwt)?$|id[_-]?token/;
const KEY_BOUND_TYPE = /dpop|^pop$|^mac$/;

/** Claims that always state the type of a token. */
const TYPE_CLAIMS = ['typ', 'token_use', 'token_type'] as const;
/** Claims that state the type of a token at some servers only. */
const POSSIBLE_TYPE_CLAIMS = ['type', 'purpose', 'use'] as const;

/**
 * Detects tokens that are not plain access tokens: ID tokens, refresh tokens and key-bound tokens.
 * @param claims of a JWT (RFC 9068) or an introspection response (RFC 7662)
 */
export function tokenTypeFault(claims: Readonly<Record<string, unknown>>): TokenFault | undefined {
  if (claims.cnf !== undefined && claims.cnf !== null) return KEY_BOUND;
  for (const name of TYPE_CLAIMS) {
    const fault = statedTypeFault(name, claims[name]);
    if (fault) return fault;
  }
  for (const name of POSSIBLE_TYPE_CLAIMS) {
    const fault = statedTypeFault(name, claims[name]);
    if (fault && fault.reason !== 'token_type') return fault;
  }
  return isIdToken(claims) ? ID_TOKEN : undefined;
}

/** The fault of a token that states its type in a claim; `undefined` for an access token, or without the claim. */
export function statedTypeFault(name: string, value: unknown): TokenFault | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const type = typeof value === 'string' ? value.toLowerCase() : '';
  if (ACCESS_TOKEN_TYPES.has(type)) return undefined;
  if (REFRESH_TOKEN_TYPE.test(type)) return REFRESH_TOKEN;
  if (ID_TOKEN_TYPE.test(type)) return ID_TOKEN;
  if (KEY_BOUND_TYPE.test(type)) return KEY_BOUND;
  return tokenFault(
    'token_type',
    `Its type is not that of an access token: ${name} is ${shownClaim(value)}. Send an access token.`,
  );
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

const KEY_BOUND = tokenFault(
  'key_bound',
  'It is bound to a key (cnf: DPoP or mutual TLS), and this server cannot verify the proof. Request a bearer token without one.',
);
const REFRESH_TOKEN = tokenFault(
  'refresh_token',
  'It is a refresh token. Send the access token that it is exchanged for.',
);
const ID_TOKEN = tokenFault('id_token', 'It is an ID token. Send the access token that was issued with it.');
