import type { AuthorizationPurpose } from '../login-attempt.js';

/**
 * The paths of redirect URIs. Each authorization server has its own, so that a response of one is never accepted as a
 * response of another (mix-up, RFC 9700 section 4.4). No path is below another, because some servers accept every path
 * below a registered one.
 */

/** The path for the default provider, the first one. */
export const DEFAULT_CALLBACK_PATH = '/callback';

/** The path for `access.signIn`: the authorization server that issues the clients' tokens. */
export const SIGN_IN_CALLBACK_PATH = '/login/sign-in';

/** The path for a provider other than the default one. */
export function providerCallbackPath(name: string): string {
  return `/login/callback/${encodeURIComponent(name)}`;
}

/** The path of the redirect URI of an authorization request. */
export function callbackPathOf(
  purpose: AuthorizationPurpose,
  provider: string,
  defaultProvider: string,
): string {
  if (purpose === 'sign-in') return SIGN_IN_CALLBACK_PATH;
  return provider === defaultProvider ? DEFAULT_CALLBACK_PATH : providerCallbackPath(provider);
}
