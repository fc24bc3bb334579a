import * as oidc from 'openid-client';
import { StepBrowser } from './step-browser.js';

/** Nobody listens there: the browser stops before it. */
const REDIRECT_URI = 'http://127.0.0.1:49997/callback';

/** An MCP client as the authorization server knows it. */
export interface RegisteredClient {
  readonly clientId: string;
  /** Gets an access token for a user, by the authorization code flow. */
  tokenFor(username: string): Promise<string>;
  /** Takes a token back (RFC 7009). */
  revoke(token: string): Promise<void>;
}

/**
 * Registers an MCP client at an authorization server (RFC 7591).
 * @param resource the MCP endpoint that its tokens are for (RFC 8707)
 */
export async function registerMcpClient(
  issuer: string,
  resource: string,
  scope = 'mcp',
): Promise<RegisteredClient> {
  const metadata = { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' };
  const configuration = await oidc.dynamicClientRegistration(new URL(issuer), metadata, oidc.None(), {
    execute: [oidc.allowInsecureRequests],
  });
  return {
    clientId: configuration.clientMetadata().client_id,
    async tokenFor(username) {
      const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
      const url = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri: REDIRECT_URI,
        scope,
        resource,
        code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      });
      const callback = await new StepBrowser().authorize(url, { username, password: 'any' });
      const tokens = await oidc.authorizationCodeGrant(configuration, callback, { pkceCodeVerifier });
      return tokens.access_token;
    },
    revoke: (token) => oidc.tokenRevocation(configuration, token),
  };
}
