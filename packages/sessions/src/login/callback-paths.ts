/**
 * Where authorization servers send browsers back to. Each one has a redirect URI of its own, so that a response meant
 * for one is never taken for another's (mix-up, RFC 9700 section 4.4). None is below another: some servers accept
 * every path below the one that is registered with them.
 */

/** The redirect URI's path of the default provider, the first one. */
export const DEFAULT_CALLBACK_PATH = '/callback';

/** The path of the authorization server that clients' tokens come from, where browsers sign in first. */
export const SIGN_IN_CALLBACK_PATH = '/login/sign-in';

/** The path of a provider that is not the default one. */
export function providerCallbackPath(name: string): string {
  return `/login/callback/${encodeURIComponent(name)}`;
}
