import * as oidc from 'openid-client';
import { StepBrowser } from './step-browser.js';

/** Nothing listens at this address: the browser does not follow the redirect. */
const REDIRECT_URI = 'http://127.0.0.1:49997/callback';

export interface McpTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly scope: string | undefined;
  readonly expiresInSeconds: number | undefined;
}

/** An MCP client that is registered at the authorization server. */
export interface RegisteredClient {
  readonly clientId: string;
  /** Gets an access token for a user, by the authorization code flow. */
  tokenFor(username: string): Promise<string>;
  /** Gets an access token and a refresh token for a user. */
  tokensFor(username: string): Promise<McpTokens>;
  /** Exchanges a refresh token. @param scope the requested scope. Default: none */
  refresh(refreshToken: string, scope?: string): Promise<McpTokens>;
  /** Revokes a token (RFC 7009). */
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
  const metadata = {
    redirect_uris: [REDIRECT_URI],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  };
  const configuration = await oidc.dynamicClientRegistration(new URL(issuer), metadata, oidc.None(), {
    execute: [oidc.allowInsecureRequests],
  });
  const client: RegisteredClient = {
    clientId: configuration.clientMetadata().client_id,
    tokenFor: async (username) => (await client.tokensFor(username)).accessToken,
    async tokensFor(username) {
      const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
      const url = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri: REDIRECT_URI,
        scope,
        resource,
        code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      });
      const callback = await new StepBrowser().authorize(url, { username, password: 'any' });
      return tokensIn(await oidc.authorizationCodeGrant(configuration, callback, { pkceCodeVerifier }));
    },
    refresh: async (refreshToken, asked) =>
      tokensIn(await oidc.refreshTokenGrant(configuration, refreshToken, asked ? { scope: asked } : {})),
    revoke: (token) => oidc.tokenRevocation(configuration, token),
  };
  return client;
}

function tokensIn({
  access_token,
  refresh_token = '',
  scope,
  expires_in,
}: oidc.TokenEndpointResponse): McpTokens {
  return { accessToken: access_token, refreshToken: refresh_token, scope, expiresInSeconds: expires_in };
}
