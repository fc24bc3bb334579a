import { z } from 'zod';
import type { ClientCredentials } from './provider-clients.js';

/** The tokens that an API accepts. */
export interface TokenIntrospectionOptions {
  /** The authorization server's issuer identifier. */
  readonly issuer: string;
  /** The credentials of the API at the authorization server. */
  readonly credentials: ClientCredentials;
  /** The required audience (RFC 8707). */
  readonly resource: string;
}

/** The user of a token. */
export interface Caller {
  readonly subject: string;
  readonly name?: string | undefined;
}

/** Returns the user of an access token, or `undefined` if the token is not accepted. */
export type TokenIntrospection = (accessToken: string) => Promise<Caller | undefined>;

const metadata = z.object({ introspection_endpoint: z.url() });

/**
 * Introspects the token of every request (RFC 7662), so that a revoked token is refused at once.
 *
 * @throws if the authorization server cannot be reached, also later
 */
export async function createTokenIntrospection(
  options: TokenIntrospectionOptions,
): Promise<TokenIntrospection> {
  const { issuer, credentials, resource } = options;
  const endpoint = await discoverEndpoint(issuer);
  const acceptable = z.object({
    active: z.literal(true),
    iss: z.literal(issuer),
    aud: z.literal(resource),
    sub: z.string().min(1),
    username: z.string().optional(),
  });

  return async (accessToken) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { authorization: basicAuthorization(credentials) },
      body: new URLSearchParams({ token: accessToken, token_type_hint: 'access_token' }),
    });
    if (!response.ok) throw new Error(`The introspection endpoint answered ${response.status}.`);
    const answer = acceptable.safeParse(await response.json());
    return answer.success ? { subject: answer.data.sub, name: answer.data.username } : undefined;
  };
}

async function discoverEndpoint(issuer: string): Promise<string> {
  const response = await fetch(`${issuer}/.well-known/openid-configuration`);
  return metadata.parse(await response.json()).introspection_endpoint;
}

/** Both parts are form-encoded (RFC 6749 section 2.3.1). */
function basicAuthorization({ clientId, clientSecret }: ClientCredentials): string {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}
