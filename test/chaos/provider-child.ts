/**
 * The identity provider of the sample: refresh tokens work once, and the second use of one ends its grant. Beside it,
 * an API that says which user a token belongs to. Both tell the parent what they see of tokens.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { loadOidcProvider } from '../../packages/server/src/sample/load-oidc-provider.js';
import { createLogin } from '../../packages/server/src/sample/login.js';
import { serveOnLoopback } from '../../packages/server/src/sample/loopback-server.js';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import {
  LOGIN_PATH,
  providerConfiguration,
} from '../../packages/server/src/sample/provider-configuration.js';
import {
  type ProviderMessage,
  type ProviderSettings,
  providerSettingsSchema,
  type TokenEvent,
} from './token-events.js';

const RESOURCE = 'urn:chaos:api';
const MAX_ANSWER_MS = 600;

process.once('disconnect', () => process.exit());
process.once('message', async (message) => tell(await start(providerSettingsSchema.parse(message))));

function tell(message: ProviderMessage): void {
  process.send?.(message);
}

async function start({ canary, accessTokenSeconds, client }: ProviderSettings) {
  const oidc = await loadOidcProvider();
  const configuration = providerConfiguration(oidc, {
    client,
    resource: RESOURCE,
    resourceServer: createCredentials('api'),
    accessTokenSeconds,
  });
  let accessTokens: InstanceType<typeof oidc.Provider>['AccessToken'] | undefined;
  const { origin: issuer } = await serveOnLoopback(0, (origin) => {
    const provider = new oidc.Provider(origin, configuration);
    accessTokens = provider.AccessToken;
    for (const { prototype } of [provider.AccessToken, provider.RefreshToken, provider.AuthorizationCode])
      beginWith(canary, prototype);
    // Some answers are in flight when a server is stopped.
    provider.use(async (ctx, next) => {
      await next();
      if (ctx.path === '/token') await sleep(Math.random() * MAX_ANSWER_MS);
    });
    const families = new Map<string, { readonly grant: string; readonly user: string }>();
    provider.on('refresh_token.saved', ({ jti, grantId: grant = '', accountId: user }) => {
      families.set(digestOf(jti), { grant, user });
    });
    provider.on('server_error', (_ctx, error) => console.error(error));
    provider.on('grant.success', (ctx) => report(ctx, true));
    provider.on('grant.error', (ctx) => report(ctx, false));
    const report = (ctx: KoaContextWithOIDC, isGranted: boolean) => {
      const event = eventOf(ctx, isGranted, families);
      if (event) tell({ event });
    };
    const login = getRequestListener(createLogin(provider).fetch, { overrideGlobalObjects: false });
    const callback = provider.callback();
    return (request, response) =>
      request.url?.startsWith(LOGIN_PATH) ? login(request, response) : callback(request, response);
  });
  const used = new Set<string>();
  const { origin: api } = await serveOnLoopback(0, () => async (request, response) => {
    const value = request.headers.authorization?.replace('Bearer ', '') ?? '';
    const token = await accessTokens?.find(value);
    if (!token) {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
      return;
    }
    const { accountId: user, grantId: grant = '' } = token;
    if (!used.has(token.jti)) tell({ event: { kind: 'use', grant, user, atMs: Date.now() } });
    used.add(token.jti);
    response.end(user);
  });
  return { issuer, api };
}

/** Has the tokens of a model begin with a text. */
function beginWith(text: string, prototype: object): void {
  const { generateTokenId } = prototype as { generateTokenId: () => string };
  Object.assign(prototype, {
    generateTokenId(this: object) {
      return `${text}${generateTokenId.call(this)}`;
    },
  });
}

type Families = ReadonlyMap<string, { readonly grant: string; readonly user: string }>;

function eventOf(ctx: KoaContextWithOIDC, isGranted: boolean, families: Families): TokenEvent | undefined {
  const { grant_type: type, refresh_token: presented } = ctx.oidc.params ?? {};
  const [node, atMs] = [ctx.get('x-node'), Date.now()];
  if (type === 'authorization_code' && isGranted) {
    const issued = families.get(digestOf(String(refreshTokenIn(ctx.body))));
    return issued && { kind: 'login', ...issued, node, atMs };
  }
  if (type !== 'refresh_token' || typeof presented !== 'string') return undefined;
  const sent = digestOf(presented);
  const family = families.get(sent) ?? { grant: 'unknown', user: 'unknown' };
  return { kind: 'refresh', ...family, sent, isGranted, node, atMs };
}

function refreshTokenIn(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'refresh_token' in body
    ? body.refresh_token
    : undefined;
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url').slice(0, 16);
}
