import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Configuration, Grant, JWK, KoaContextWithOIDC, ResourceServer } from 'oidc-provider';
import { register } from './client-registration.js';
import { deviceFlow } from './device-flow.js';
import { errorPage, pagePolicy, unknownClientPage } from './login-page.js';
import { type ClientCredentials, mcpServerClient, resourceServerClient } from './provider-clients.js';
import { createProviderStorage } from './provider-storage.js';

/** The clients of the identity provider, and what they may do. */
export interface Registrations {
  /** The MCP server: code flow with PKCE, refresh; introspects and revokes its own tokens. */
  readonly client: ClientCredentials;
  /** The only resource that access tokens are issued for (RFC 8707). Any absolute URI. */
  readonly resource: string;
  /** The API of this resource: it may introspect tokens for the resource, and nothing else. */
  readonly resourceServer: ClientCredentials;
  /**
   * Whether MCP clients may register and get tokens for MCP servers: JWTs, for the address under which they know
   * one. Default: false.
   */
  readonly servesMcpClients?: boolean;
  /** Whether the device flow is on (RFC 8628). Default: false. */
  readonly offersDeviceFlow?: boolean;
  /** Lifetime of the API's access tokens, in seconds. Default: 120. Access tokens for MCP servers live an hour. */
  readonly accessTokenSeconds?: number;
}

/** The path of the login pages, before the id of the login. */
export const LOGIN_PATH = '/interaction/';

const SCOPES = ['openid', 'profile', 'offline_access'];
const RESOURCE_SCOPE = 'notes';
/** The scope of MCP servers. */
export const MCP_SCOPE = 'mcp';

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 60 * MINUTE_SECONDS;
const DAY_SECONDS = 24 * HOUR_SECONDS;

/** Opaque access tokens, refresh tokens that work once, PKCE with S256 only, no consent screen. */
export function providerConfiguration(
  oidc: typeof import('oidc-provider'),
  {
    client,
    resource,
    resourceServer,
    servesMcpClients = false,
    offersDeviceFlow = false,
    accessTokenSeconds = 120,
  }: Registrations,
): Configuration {
  const policy = oidc.interactionPolicy.base();
  policy.remove('consent');
  // MCP clients request both scopes. Every login here identifies its user and counts as consent.
  for (const name of servesMcpClients ? ['select_account', 'consent'] : [])
    policy.add(new oidc.interactionPolicy.Prompt({ name, requestable: true }));
  const isMcpClient = (clientId: string) =>
    servesMcpClients && clientId !== client.clientId && clientId !== resourceServer.clientId;
  return {
    adapter: createProviderStorage({ isMcpClient, toleratedScopes: () => toleratedScopes(oidc) }),
    jwks: { keys: [createSigningKey()] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clients: [mcpServerClient(client, offersDeviceFlow), resourceServerClient(resourceServer)],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    responseTypes: ['code'],
    // Clients register with the scopes that they will ask for.
    scopes: servesMcpClients ? [...SCOPES, MCP_SCOPE] : SCOPES,
    claims: { openid: ['sub'], profile: ['name'] },
    // The ID token contains the name, because a token for the API cannot request the user info.
    conformIdTokenClaims: false,
    findAccount: (_ctx, subject) => ({ accountId: subject, claims: () => ({ sub: subject, name: subject }) }),
    // The API identifies its caller by this field (RFC 7662 section 2.2).
    extraTokenClaims: (_ctx, token) => ('accountId' in token ? { username: token.accountId } : undefined),
    interactions: { policy, url: (_ctx, { uid }) => `${LOGIN_PATH}${uid}` },
    loadExistingGrant: grantEverything,
    pkce: { required: () => true },
    rotateRefreshToken: () => true,
    issueRefreshToken: (_ctx, each) =>
      each.clientId === client.clientId || (servesMcpClients && each.grantTypeAllowed('refresh_token')),
    // Browser sessions are not kept, so tokens that belonged to them would be invalid at once.
    expiresWithSession: () => false,
    clientBasedCORS: () => false,
    renderError: async (ctx, out) => {
      ctx.type = 'html';
      ctx.set('Content-Security-Policy', pagePolicy());
      const isForgotten =
        servesMcpClients && (out.error === 'invalid_client' || out.error === 'invalid_redirect_uri');
      ctx.body = String(
        await (isForgotten ? unknownClientPage() : errorPage(out.error_description ?? out.error)),
      );
    },
    features: {
      // If it is on, it prints a notice on stdout, which is for `--json`.
      devInteractions: { enabled: false },
      ...(offersDeviceFlow && { deviceFlow }),
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, { clientId }, token) =>
          clientId === token.clientId ||
          (clientId === resourceServer.clientId && 'aud' in token && token.aud === resource),
      },
      registration: {
        enabled: servesMcpClients,
        idFactory: ({ oidc: { body = {} } }) => register(body),
      },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, { clientId }, token) => clientId === token.clientId,
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, indicator) => {
          if (servesMcpClients && isMcpServer(indicator)) return mcpServer(indicator);
          if (indicator !== resource) throw new oidc.errors.InvalidTarget();
          // JWTs could be neither introspected nor revoked.
          return { scope: RESOURCE_SCOPE, audience: resource, accessTokenFormat: 'opaque' };
        },
        // The client need not name the resource again with every code and refresh token.
        useGrantedResource: () => true,
      },
    },
    ttl: {
      AccessToken: (_ctx, { aud }) => (aud === resource ? accessTokenSeconds : HOUR_SECONDS),
      AuthorizationCode: MINUTE_SECONDS,
      DeviceCode: 10 * MINUTE_SECONDS,
      Grant: 14 * DAY_SECONDS,
      IdToken: HOUR_SECONDS,
      Interaction: 10 * MINUTE_SECONDS,
      RefreshToken: 14 * DAY_SECONDS,
      Session: 10 * MINUTE_SECONDS,
    },
  };
}

/**
 * A separate grant for every login, instead of the consent screen. With a shared grant, signing out of one MCP session
 * would revoke the tokens of the user's other sessions.
 */
async function grantEverything({ oidc }: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { provider, client, session, resourceServers = {} } = oidc;
  if (!client || !session?.accountId) return undefined;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(SCOPES);
  for (const [resource, { scope }] of Object.entries(resourceServers))
    grant.addResourceScope(resource, scope);
  await grant.save();
  return grant;
}

/**
 * The scopes that MCP clients may request at a refresh although they were not granted: large authorization servers
 * ignore such scopes. The resource's own scope is not among them. The grant decides the scopes of the tokens.
 */
function toleratedScopes({ Provider }: typeof import('oidc-provider')): string[] {
  const asked = Provider.ctx?.oidc.params?.scope;
  return typeof asked === 'string' ? asked.split(' ').filter((scope) => scope !== MCP_SCOPE) : [];
}

/** Whether a resource is the endpoint of an MCP server (RFC 8707), which takes the token if it trusts this issuer. */
function isMcpServer(indicator: string): boolean {
  return URL.canParse(indicator) && new URL(indicator).pathname === '/mcp';
}

function mcpServer(audience: string): ResourceServer {
  const jwt = { sign: { alg: 'ES256' } } as const;
  // The scope in the answer tells clients that they may refresh.
  return { scope: `${MCP_SCOPE} offline_access`, audience, accessTokenFormat: 'jwt', jwt };
}

function createSigningKey(): JWK {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' };
}
