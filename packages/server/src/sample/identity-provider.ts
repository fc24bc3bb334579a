import { getRequestListener } from '@hono/node-server';
import { loadOidcProvider } from './load-oidc-provider.js';
import { createLogin } from './login.js';
import { serveOnLoopback } from './loopback-server.js';
import { completeMcpRequests } from './mcp-requests.js';
import { LOGIN_PATH, providerConfiguration, type Registrations } from './provider-configuration.js';

export interface IdentityProviderOptions extends Registrations {
  /** `0`: any free port. */
  readonly port: number;
  /** Called with every access and refresh token that is issued, for tests. */
  readonly onTokenIssued?: (token: string) => void;
  /** Returns the default resource for MCP clients: the MCP endpoint. Default: none; clients have to name a resource. */
  readonly mcpEndpoint?: () => string | undefined;
}

export interface IdentityProvider {
  /** The issuer identifier, which is also its address: `http://127.0.0.1:<port>`. */
  readonly issuer: string;
  close(): Promise<void>;
}

/**
 * Starts an OpenID provider for demos and tests. It keeps its data in memory and accepts any name as a user, so it
 * serves this machine only.
 *
 * @throws the `EADDRINUSE` error of Node if the port is taken
 */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const oidc = await loadOidcProvider();
  const { origin, close } = await serveOnLoopback(options.port, (issuer) => {
    const provider = new oidc.Provider(issuer, providerConfiguration(oidc, options));
    if (options.servesMcpClients) {
      const { client, resourceServer, mcpEndpoint = () => undefined } = options;
      const operators = [client.clientId, resourceServer.clientId];
      completeMcpRequests(provider, { isMcpClient: (id) => !operators.includes(id), mcpEndpoint });
    }
    const { onTokenIssued } = options;
    if (onTokenIssued) {
      // The identifier of an opaque token is the token.
      provider.on('access_token.saved', ({ jti }) => onTokenIssued(jti));
      provider.on('refresh_token.saved', ({ jti }) => onTokenIssued(jti));
    }
    const login = getRequestListener(createLogin(provider).fetch, { overrideGlobalObjects: false });
    const callback = provider.callback();
    return (request, response) =>
      request.url?.startsWith(LOGIN_PATH) ? login(request, response) : callback(request, response);
  });
  return { issuer: origin, close };
}
