import * as oidc from 'openid-client';
import type { Secret } from '../vault/secret.js';
import type { ProviderSettings } from './provider-settings.js';

/** Values that bind an authorization response to its request. */
export interface AuthorizationChecks {
  readonly state: Secret;
  readonly nonce: Secret;
  readonly codeVerifier: Secret;
}

/** What a login requests. */
interface AuthorizationRequest {
  readonly redirectUri: URL;
  readonly checks: AuthorizationChecks;
  readonly scopes: readonly string[];
}

/** Creates the authorization URL of a login, with PKCE S256 (RFC 7636), state and nonce. */
export async function authorizationUrl(
  configuration: oidc.Configuration,
  { authorizationParams }: ProviderSettings,
  { redirectUri, checks, scopes }: AuthorizationRequest,
): Promise<URL> {
  return oidc.buildAuthorizationUrl(configuration, {
    ...authorizationParams,
    redirect_uri: redirectUri.href,
    scope: scopes.join(' '),
    state: checks.state.reveal(),
    nonce: checks.nonce.reveal(),
    code_challenge: await oidc.calculatePKCECodeChallenge(checks.codeVerifier.reveal()),
    code_challenge_method: 'S256',
  });
}
