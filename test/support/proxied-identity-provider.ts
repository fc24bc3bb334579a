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

/** A form that was posted to the identity provider, and what came of it. */
export interface Exchange {
  readonly path: string;
  readonly form: URLSearchParams;
  readonly status: number;
  /** What was answered; empty for forms. */
  readonly answer: string;
}

/** An answer that stays on its way until it is let go. */
interface Hold {
  /** Resolves when the identity provider has answered, and the answer waits here. */
  readonly isHeld: Promise<void>;
  release(): void;
}

/** The sample's identity provider behind a reverse proxy that writes down what is asked, and can hold answers. */
export interface ProxiedIdentityProvider {
  readonly issuer: string;
  /** Every access and refresh token, as it was issued. */
  readonly issuedTokens: readonly string[];
  /** The tokens issued so far that still open anything, and whose they are. */
  livingTokens(): Promise<readonly { readonly token: string; readonly user: string }[]>;
  /** Every form posted to the token, revocation and introspection endpoints, in order of the answers. */
  readonly exchanges: readonly Exchange[];
  /** How long the access tokens live that are issued from now on. */
  accessTokenSeconds: number;
  /** Holds the next answer to a form posted to `path`, or the next with that status. */
  holdNext(path: string, status?: number): Hold;
  /** Lets no request through any more, or lets them through again. */
  isDown: boolean;
  /** Says nothing of itself any more, as where a server's configuration names the wrong address. */
  isUnknown: boolean;
  close(): Promise<void>;
}

/** How many times tokens were asked for with a grant of that type. */
export function grantsOf(provider: ProxiedIdentityProvider, grantType: string): Exchange[] {
  return provider.exchanges.filter(({ form }) => form.get('grant_type') === grantType);
}

export interface ProxiedIdentityProviderOptions extends Omit<Registrations, 'accessTokenSeconds'> {
  /** Where logins come back to. Default: any port of 127.0.0.1. */
  readonly redirectUri?: string;
  /** Default: JWTs. Opaque ones may be asked about with the resource server's credentials. */
  readonly mcpTokens?: McpTokenFormat | undefined;
}

/** What access tokens for MCP servers are. */
export type McpTokenFormat = 'jwt' | 'opaque';

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
    // No connection is used twice: one that the other side is just closing would lose the request.
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

/** Has tokens issued that mean nothing to anybody who does not ask about them. */
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

const DEVICE_PATH = '/device/auth';

/** The provider itself leaves it at five seconds between two polls, which is long in a test. */
function pollable(answer: Buffer): Buffer {
  return Buffer.from(JSON.stringify({ ...JSON.parse(answer.toString()), interval: 1 }));
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Only a server on a pipe has an address of another kind.
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
