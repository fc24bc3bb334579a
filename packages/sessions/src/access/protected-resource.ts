import type { Refusal } from './access.js';
import type { BearerSettings } from './access-options.js';

/** Well-known paths of the documents that clients request before they have a token. */
export const WELL_KNOWN = {
  /** Metadata of a protected resource (RFC 9728 section 3). */
  protectedResource: '/.well-known/oauth-protected-resource',
  /**
   * Metadata of an authorization server (RFC 8414 section 3). Clients of revision 2025-03-26 look for it at the MCP
   * server's origin.
   */
  authorizationServer: '/.well-known/oauth-authorization-server',
} as const;

/**
 * The paths where clients look for a document about an endpoint: the well-known path followed by the endpoint's path,
 * as RFC 8414 and RFC 9728 define it; the well-known path alone; and, without an RFC, below the endpoint.
 */
export function wellKnownPaths(document: string, path: string): readonly [string, string, string] {
  return [document + path, document, path + document];
}

/** The metadata of a protected resource (RFC 9728 section 2). */
export function protectedResourceMetadata(
  resource: URL,
  name: string,
  { issuer, requiredScopes }: BearerSettings,
): Record<string, unknown> {
  return {
    resource: resource.href,
    resource_name: name,
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    ...(requiredScopes.length > 0 && { scopes_supported: requiredScopes }),
  };
}

/**
 * The `WWW-Authenticate` header of a refused request (RFC 6750 section 3, RFC 9728 section 5.1). It has an error code
 * only if the request had a token, which the challenge of the MCP SDK cannot leave out.
 */
export function bearerChallenge(refusal: Refusal, metadata: URL, requiredScopes: readonly string[]): string {
  const parameters = {
    ...(refusal.error && { error: refusal.error, error_description: refusal.description }),
    ...(requiredScopes.length > 0 && { scope: requiredScopes.join(' ') }),
    resource_metadata: metadata.href,
  };
  const quoted = Object.entries(parameters).map(([name, value]) => `${name}="${quotable(value)}"`);
  return `Bearer ${quoted.join(', ')}`;
}

/** RFC 6750 section 3 allows neither quotation marks nor backslashes in these values, not even escaped. */
function quotable(value: string): string {
  return value.replaceAll(/[^\x20\x21\x23-\x5B\x5D-\x7E]/g, "'");
}
