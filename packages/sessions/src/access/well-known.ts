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
export function placesOf(document: string, path: string): readonly [string, string, string] {
  return [document + path, document, path + document];
}
