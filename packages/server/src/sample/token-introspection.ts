import { z } from 'zod';
import type { ClientCredentials } from './provider-clients.js';

/** Whose tokens an API accepts, and for what. */
export interface TokenIntrospectionOptions {
  /** The authorization server's issuer identifier. */
  readonly issuer: string;
  /** The API's own credentials there. */
  readonly credentials: ClientCredentials;
  /** The audience a token must be meant for (RFC 8707). */
  readonly resource: string;
}

/** Who a token speaks for. */
export interface Caller {
  readonly subject: string;
  readonly name?: string | undefined;
}

/** Answers who an access token speaks for, or `undefined` for one that must be refused. */
export type TokenIntrospection = (accessToken: string) => Promise<Caller | undefined>;

const metadata = z.object({ introspection_endpoint: z.url() });

/**
 * Asks the authorization server about each token, every time (RFC 7662): a revoked token is refused at once.
 *
 * @throws when the authorization server cannot be reached, here or later
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

/** RFC 6749 section 2.3.1: both parts are form-encoded before they are joined. */
function basicAuthorization({ clientId, clientSecret }: ClientCredentials): string {
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}
