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

/**
 * A private key as a JSON Web Key (RFC 7517, RFC 7518 section 6). Not every version of `@types/node` has such a type.
 */
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
