/** Documents that clients look for under a well-known path before they have a token. */
export const WELL_KNOWN = {
  /** Metadata of a protected resource (RFC 9728 section 3). */
  protectedResource: '/.well-known/oauth-protected-resource',
  /**
   * Metadata of an authorization server (RFC 8414 section 3). Clients of the revision of 2025-03-26 take the MCP
   * server's origin for that of its authorization server.
   */
  authorizationServer: '/.well-known/oauth-authorization-server',
} as const;

/**
 * Where clients look for a document about an endpoint: with its path inserted after the well-known one, at the root,
 * and, which no RFC asks of them, below the endpoint. The first is where RFC 8414 and RFC 9728 put it.
 */
export function placesOf(document: string, path: string): readonly [string, string, string] {
  return [document + path, document, path + document];
}
