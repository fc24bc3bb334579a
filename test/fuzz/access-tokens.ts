/** The access mode of the fuzzed server. */
export type Access = 'open' | 'bearer';

/** The flaws of access tokens. */
export const FLAWS = [
  'expired',
  'not valid yet',
  'for another resource',
  'without an audience',
  'of another issuer',
  'with a forged signature',
  'unsigned',
  'of an unknown key',
  'an ID token',
  'without a subject',
  'malformed',
  'opaque',
  'empty',
  'missing',
] as const;
export type Flaw = (typeof FLAWS)[number];

/** The access tokens of requests. */
export interface Tokens {
  /** The tokens of members and guests. */
  readonly members: readonly string[];
  readonly guests: readonly string[];
  /** Flawed `Authorization` headers; `undefined`: no header. */
  readonly flawed: Readonly<Partial<Record<Flaw, string>>>;
}

/** The access token of a request. */
export type Credential =
  /** The token of its owner, or of a guest without one. */
  { readonly kind: 'good'; readonly guest: number } | { readonly kind: 'flawed'; readonly flaw: Flaw };
