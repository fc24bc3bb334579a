import { type Backend, packageVersion } from '../backend.js';
import { loadToolsModule } from '../tools-module.js';
import type { DemoUpstream } from '../upstream.js';
import { startIdentityProvider } from './identity-provider.js';
import { startNotesApi } from './notes-api.js';
import { registerNotesTools } from './notes-tools.js';
import { createCredentials } from './provider-clients.js';
import { MCP_SCOPE } from './provider-configuration.js';

/**
 * The audience of the API's tokens (RFC 8707). It is a URN, so that it is known before the API has a port.
 */
const NOTES_RESOURCE = 'urn:mcp-sessions:sample:notes';

/**
 * Starts the embedded identity provider and the notes API.
 *
 * @param toolsModule tools to serve instead of the notes tools
 * @throws ConfigurationError if they cannot be loaded; the `EADDRINUSE` error of Node if a port is taken
 */
export async function startSample(upstream: DemoUpstream, toolsModule: string | undefined): Promise<Backend> {
  const ownTools = toolsModule === undefined ? undefined : await loadToolsModule(toolsModule);
  const client = createCredentials('mcp-sessions');
  const resourceServer = createCredentials('notes-api');
  const resource = NOTES_RESOURCE;

  let mcpEndpoint: string | undefined;
  const identityProvider = await startIdentityProvider({
    port: upstream.identityProviderPort,
    accessTokenSeconds: upstream.accessTokenSeconds,
    servesMcpClients: upstream.isBearer,
    offersDeviceFlow: upstream.deviceFlow !== undefined,
    client,
    resource,
    resourceServer,
    mcpEndpoint: () => mcpEndpoint,
  });
  try {
    const { issuer } = identityProvider;
    const api = await startNotesApi({
      port: upstream.apiPort,
      issuer,
      credentials: resourceServer,
      resource,
    });
    return {
      server: {
        name: 'notes',
        version: packageVersion(),
        title: 'Notes',
        instructions:
          'Notes of the logged-in user. Call `login` first. Every user sees only their own notes.',
      },
      tools: ownTools ?? registerNotesTools(api.origin),
      providers: [
        {
          name: 'sample',
          displayName: 'Notes (demo identity provider)',
          issuer,
          ...client,
          scopes: ['openid', 'profile', 'notes'],
          authorizationParams: { resource },
          deviceFlow: upstream.deviceFlow,
          apiOrigins: [api.origin],
        },
      ],
      access: upstream.isBearer ? { issuer, requiredScopes: [MCP_SCOPE] } : 'open',
      api: api.origin,
      onListening: (url) => {
        mcpEndpoint = url;
      },
      close: async () => {
        await Promise.all([identityProvider.close(), api.close()]);
      },
    };
  } catch (error) {
    await identityProvider.close();
    throw error;
  }
}
