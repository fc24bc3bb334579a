import * as oidc from 'openid-client';
import { type IdentityProvider, startIdentityProvider } from '../src/sample/identity-provider.js';
import { type ClientCredentials, createCredentials } from '../src/sample/provider-clients.js';
import { Browser } from './browser.js';

export const RESOURCE = 'urn:test:notes';

/** Nothing listens there: the browser stops before it. The registration names no port. */
export const REDIRECT_URI = 'http://127.0.0.1:49999/callback';

/** The embedded provider on a free port, and a client of it that logs users in. */
export interface RelyingParty {
  readonly provider: IdentityProvider;
  readonly resourceServer: ClientCredentials;
  readonly configuration: oidc.Configuration;
  /** What the provider says it issued. */
  readonly issuedTokens: readonly string[];
  /** Starts an authorization; `parameters` replace the usual ones. */
  authorize(parameters?: Record<string, string>): Promise<Authorization>;
  /** Logs a user in, from the authorization to the tokens. */
  logIn(username: string, options?: { browser?: Browser; resource?: string | undefined }): Promise<Tokens>;
}

export interface Authorization {
  readonly url: URL;
  redeem(callback: URL): Promise<Tokens>;
}

export type Tokens = oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers;

export async function startRelyingParty(): Promise<RelyingParty> {
  const client = createCredentials('mcp-sessions');
  const resourceServer = createCredentials('notes-api');
  const issuedTokens: string[] = [];
  const provider = await startIdentityProvider({
    port: 0,
    client,
    resourceServer,
    resource: RESOURCE,
    onTokenIssued: (token) => issuedTokens.push(token),
  });
  const configuration = await discover(provider.issuer, client);

  const authorize = async (parameters: Record<string, string> = {}): Promise<Authorization> => {
    const codeVerifier = oidc.randomPKCECodeVerifier();
    const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: REDIRECT_URI,
      scope: 'openid profile notes',
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
      ...parameters,
    });
    const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier };
    return { url, redeem: (callback) => oidc.authorizationCodeGrant(configuration, callback, checks) };
  };

  return {
    provider,
    resourceServer,
    configuration,
    issuedTokens,
    authorize,
    async logIn(username, { browser = new Browser(), resource = RESOURCE } = {}) {
      const { url, redeem } = await authorize(resource ? { resource } : {});
      return redeem(await browser.logIn(url, username, REDIRECT_URI));
    },
  };
}

/** A client of that issuer, authenticated with those credentials. */
export function discover(issuer: string, credentials: ClientCredentials): Promise<oidc.Configuration> {
  return oidc.discovery(
    new URL(issuer),
    credentials.clientId,
    undefined,
    oidc.ClientSecretBasic(credentials.clientSecret),
    { execute: [oidc.allowInsecureRequests] },
  );
}
