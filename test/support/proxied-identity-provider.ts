import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { getRequestListener } from '@hono/node-server';
import type { ClientMetadata, Configuration } from 'oidc-provider';
import { loadOidcProvider } from '../../packages/server/src/sample/load-oidc-provider.js';
import { createLogin } from '../../packages/server/src/sample/login.js';
import {
  LOGIN_PATH,
  providerConfiguration,
  type Registrations,
} from '../../packages/server/src/sample/provider-configuration.js';
import { createLatch } from './latch.js';

/** A request to the identity provider, and its response. */
export interface Exchange {
  readonly path: string;
  readonly form: URLSearchParams;
  readonly status: number;
  /** The JSON response; empty for other responses. */
  readonly answer: string;
}

/** A response that the proxy holds back until the test releases it. */
interface Hold {
  /** Resolves when the identity provider has responded and the proxy holds the response. */
  readonly isHeld: Promise<void>;
  release(): void;
}

/** The identity provider of the sample behind a proxy that records requests and can delay responses. */
export interface ProxiedIdentityProvider {
  readonly issuer: string;
  /** Every access and refresh token, as it was issued. */
  readonly issuedTokens: readonly string[];
  /** The issued tokens that are still valid, with their users. */
  livingTokens(): Promise<readonly { readonly token: string; readonly user: string }[]>;
  /** The requests to the token, revocation and introspection endpoints, in the order of the responses. */
  readonly exchanges: readonly Exchange[];
  /** The lifetime of access tokens from now on. */
  accessTokenSeconds: number;
  /** Holds back the next response to a POST to `path`, or the next with that status. */
  holdNext(path: string, status?: number): Hold;
  /** Whether the proxy resets all connections. */
  isDown: boolean;
  /** Whether the proxy answers discovery with 404, as with a wrong issuer URL. */
  isUnknown: boolean;
  close(): Promise<void>;
}

/** The token requests with a grant type. */
export function grantsOf(provider: ProxiedIdentityProvider, grantType: string): Exchange[] {
  return provider.exchanges.filter(({ form }) => form.get('grant_type') === grantType);
}

export interface ProxiedIdentityProviderOptions extends Omit<Registrations, 'accessTokenSeconds'> {
  /** The redirect URI. Default: any port of 127.0.0.1. */
  readonly redirectUri?: string;
  /** Default: JWTs. Opaque tokens can be introspected with the credentials of the resource server. */
  readonly mcpTokens?: McpTokenFormat | undefined;
}

/** The format of access tokens for MCP servers. */
export type McpTokenFormat =
  | 'jwt'
  | 'opaque'
  /** JWTs with `client_id` and `token_use`, and without an audience. */
  | 'cognito';

export async function startProxiedIdentityProvider({
  mcpTokens = 'jwt',
  ...registrations
}: ProxiedIdentityProviderOptions): Promise<ProxiedIdentityProvider> {
  const oidc = await loadOidcProvider();
  const proxy = createServer();
  const issuer = `http://127.0.0.1:${await listen(proxy)}`;
  const settings = { accessTokenSeconds: 120, isDown: false, isUnknown: false };
  const configuration = providerConfiguration(oidc, registrations);
  if (mcpTokens === 'opaque') issueOpaqueTokens(configuration, registrations.resourceServer.clientId);
  if (mcpTokens === 'cognito') issueWithoutAudience(configuration);
  const { redirectUri } = registrations;
  const provider = new oidc.Provider(issuer, {
    ...configuration,
    ...(redirectUri && { clients: configuration.clients?.map((each) => comingBackTo(redirectUri, each)) }),
    ttl: { ...configuration.ttl, AccessToken: () => settings.accessTokenSeconds },
  });
  const issuedTokens: string[] = [];
  provider.on('access_token.saved', ({ jti }) => issuedTokens.push(jti));
  provider.on('refresh_token.saved', ({ jti }) => issuedTokens.push(jti));
  const login = getRequestListener(createLogin(provider).fetch, { overrideGlobalObjects: false });
  const callback = provider.callback();
  const inner = createServer((request, response) =>
    request.url?.startsWith(LOGIN_PATH) ? login(request, response) : callback(request, response),
  );
  const innerPort = await listen(inner);

  const exchanges: Exchange[] = [];
  const holds: { path: string; status: number | undefined; arrived: () => void; released: Promise<void> }[] =
    [];

  proxy.on('request', async (request: IncomingMessage, response) => {
    if (settings.isDown) {
      request.socket.destroy();
      return;
    }
    if (settings.isUnknown && request.url?.includes('/.well-known/')) {
      response.writeHead(404).end();
      return;
    }
    const body = await buffer(request);
    const { method, url: path = '/', headers } = request;
    // Connections are not reused, because the other side may be closing an idle one.
    const forwarded = httpRequest({
      host: '127.0.0.1',
      port: innerPort,
      method,
      path,
      headers,
      agent: false,
    });
    forwarded.on('error', (error) => response.destroy(error));
    forwarded.end(body);
    forwarded.once('response', async (answer) => {
      const content = path === DEVICE_PATH ? pollable(await buffer(answer)) : await buffer(answer);
      const status = answer.statusCode ?? 502;
      if (method === 'POST' && path.startsWith('/token')) {
        const form = new URLSearchParams(body.toString());
        exchanges.push({ path, form, status, answer: content.toString() });
      }
      const next = holds.findIndex(
        (hold) => method === 'POST' && hold.path === path && (hold.status ?? status) === status,
      );
      const [hold] = next < 0 ? [] : holds.splice(next, 1);
      hold?.arrived();
      await hold?.released;
      const { 'content-length': _length, ...kept } = answer.headers;
      response.writeHead(status, path === DEVICE_PATH ? kept : answer.headers);
      response.end(content);
    });
  });

  const livingTokens = async () => {
    const found = await Promise.all(
      issuedTokens.map(
        async (token) =>
          (await provider.AccessToken.find(token)) ?? (await provider.RefreshToken.find(token)),
      ),
    );
    return found.flatMap((token) => (token ? [{ token: token.jti, user: token.accountId ?? '' }] : []));
  };

  return {
    issuer,
    issuedTokens,
    livingTokens,
    exchanges,
    get accessTokenSeconds() {
      return settings.accessTokenSeconds;
    },
    set accessTokenSeconds(seconds) {
      settings.accessTokenSeconds = seconds;
    },
    get isDown() {
      return settings.isDown;
    },
    set isDown(isDown) {
      settings.isDown = isDown;
    },
    get isUnknown() {
      return settings.isUnknown;
    },
    set isUnknown(isUnknown) {
      settings.isUnknown = isUnknown;
    },
    holdNext(path, status) {
      const arrival = createLatch();
      const release = createLatch();
      holds.push({ path, status, arrived: arrival.open, released: release.opened });
      return { isHeld: arrival.opened, release: release.open };
    },
    close: async () => {
      await Promise.all([closeServer(proxy), closeServer(inner)]);
    },
  };
}

/** The registration of a server whose public URL is known. */
function comingBackTo(redirectUri: string, client: ClientMetadata): ClientMetadata {
  if (!client.redirect_uris?.length) return client;
  return { ...client, application_type: 'web', redirect_uris: [redirectUri] };
}

/** Issues opaque tokens, which need introspection. */
function issueOpaqueTokens({ features = {} }: Configuration, introspectedBy: string): void {
  const { resourceIndicators, introspection } = features;
  const describe = resourceIndicators?.getResourceServerInfo;
  const mayAsk = introspection?.allowedPolicy;
  Object.assign(resourceIndicators ?? {}, {
    getResourceServerInfo: async (...about: Parameters<NonNullable<typeof describe>>) => ({
      ...(await describe?.(...about)),
      accessTokenFormat: 'opaque',
    }),
  });
  Object.assign(introspection ?? {}, {
    allowedPolicy: (...about: Parameters<NonNullable<typeof mayAsk>>) =>
      about[1].clientId === introspectedBy || mayAsk?.(...about),
  });
}

/** Issues JWTs as Amazon Cognito does (developer guide, "Understanding the access token"). */
function issueWithoutAudience(configuration: Configuration): void {
  configuration.formats = {
    customizers: {
      jwt: (_ctx, _token, { payload }) => {
        // The library refuses tokens without an audience, except for one that JSON leaves out.
        Object.assign(payload, { aud: { toJSON: () => undefined }, token_use: 'access' });
      },
    },
  };
}

const DEVICE_PATH = '/device/auth';

/** Shortens the polling interval of the provider, which is five seconds. */
function pollable(answer: Buffer): Buffer {
  return Buffer.from(JSON.stringify({ ...JSON.parse(answer.toString()), interval: 1 }));
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an AddressInfo.
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
