import { randomBytes } from 'node:crypto';
import type { ClientMetadata } from 'oidc-provider';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** How a client authenticates at the identity provider (`client_secret_basic`, RFC 6749 section 2.3.1). */
export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Creates credentials with a random secret. */
export function createCredentials(clientId: string): ClientCredentials {
  return { clientId, clientSecret: randomBytes(32).toString('base64url') };
}

/**
 * The registration of an MCP server on this machine. As a native application, it may use any port of this machine in
 * its redirect URI, with the path `/callback` (RFC 8252 section 7.3).
 */
export function mcpServerClient(
  { clientId, clientSecret }: ClientCredentials,
  offersDeviceFlow = false,
): ClientMetadata {
  return {
    client_id: clientId,
    client_secret: clientSecret,
    application_type: 'native',
    // The second one is for `--callback-host localhost`.
    redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', ...(offersDeviceFlow ? [DEVICE_GRANT] : [])],
  };
}

/** The registration of an API: it authenticates to introspect tokens, and gets none. */
export function resourceServerClient({ clientId, clientSecret }: ClientCredentials): ClientMetadata {
  return {
    client_id: clientId,
    client_secret: clientSecret,
    redirect_uris: [],
    response_types: [],
    grant_types: [],
  };
}
