/** How clients reach the server that is fuzzed. */
export type Access = 'open' | 'bearer';

/** What can be wrong with an access token. */
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

/** The access tokens that requests bring. */
export interface Tokens {
  /** Those of the members, and those of the guests. */
  readonly members: readonly string[];
  readonly guests: readonly string[];
  /** What stands in `Authorization` otherwise; `undefined`: the header is missing. */
  readonly flawed: Readonly<Partial<Record<Flaw, string>>>;
}

/** Whose access token a request brings. */
export type Credential =
  /** That of its owner; of a guest, if it has none. */
  { readonly kind: 'good'; readonly guest: number } | { readonly kind: 'flawed'; readonly flaw: Flaw };
