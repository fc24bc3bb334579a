import type { Refusal } from './access.js';
import type { BearerSettings } from './access-options.js';

/** What a protected resource says of itself (RFC 9728 section 2). */
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

/** What a client without a good token is told (RFC 6750 section 3, RFC 9728 section 5.1). */
export function challengeOf(refusal: Refusal, metadata: URL, requiredScopes: readonly string[]): string {
  const parameters = {
    ...(refusal.error && { error: refusal.error, error_description: refusal.description }),
    ...(requiredScopes.length > 0 && { scope: requiredScopes.join(' ') }),
    resource_metadata: metadata.href,
  };
  const quoted = Object.entries(parameters).map(([name, value]) => `${name}="${quotable(value)}"`);
  return `Bearer ${quoted.join(', ')}`;
}

/** What may stand between quotation marks there (RFC 6750 section 3). */
function quotable(value: string): string {
  return value.replaceAll(/[^\x20\x21\x23-\x5B\x5D-\x7E]/g, "'");
}
