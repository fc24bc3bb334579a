import type { RequestListener } from 'node:http';
import type { Access } from '../access/access.js';
import { isBearer } from '../access/access-options.js';
import { BasePath, MCP_PATH } from '../http/base-path.js';
import { BodyMemoryLimit } from '../http/body/body-memory-limit.js';
import { RequestScheduler } from '../http/body/request-scheduler.js';
import { DeploymentWarnings } from '../http/deployment-warnings.js';
import { Guards } from '../http/guards.js';
import { LazyApp } from '../http/lazy-app.js';
import { nodeHandlerOf } from '../http/node-handler.js';
import { PlainLane } from '../http/plain-lane.js';
import { RequestsInFlight } from '../http/request-end.js';
import { UnreadResponseLimit } from '../http/unread-response-limit.js';
import { LoginRequestLimits } from '../login/browser/request-limits.js';
import type { Endpoint } from '../mcp/endpoint.js';
import { composeAccess } from './compose-access.js';
import { composeBackChannelLogout } from './compose-back-channel-logout.js';
import type { LoginParts } from './compose-logins.js';
import type { ServerEnvironment, SessionParts } from './compose-sessions.js';
import type { PublicUrl } from './public-url.js';
import type { SessionsSettings } from './settings.js';

/** The HTTP side of a server. */
export interface HttpParts {
  /** Verifies the access tokens of clients. */
  readonly access: Access;
  readonly calls: RequestsInFlight;
  /** Decides which request begins next. */
  readonly scheduler: RequestScheduler;
  /** All routes. */
  readonly app: LazyApp;
  /** All routes, for Node's HTTP server. */
  readonly handler: ReturnType<typeof nodeHandlerOf>;
  /** The routes of a login only, for a server whose client uses stdio. */
  readonly createLoginHandler: () => RequestListener;
}

export interface ComposeHttpOptions {
  readonly endpoint: Endpoint;
  readonly publicUrl: PublicUrl;
  /** Whether the server is closing. */
  readonly isClosing: () => boolean;
  /** Whether the stores can be used. */
  readonly isReady: () => boolean;
}

/** Composes the routes of the endpoint and of logins, with what protects them. */
export function composeHttp(
  settings: SessionsSettings,
  environment: ServerEnvironment,
  parts: SessionParts & LoginParts,
  { endpoint, publicUrl, isClosing, isReady }: ComposeHttpOptions,
): HttpParts {
  const { clock, random, fetch, logger, onError } = environment;
  const { keys, deadlines, rates, events, logins } = parts;
  const { limits, trustedProxies, brand, lifetimes } = settings;
  const bearer = isBearer(settings.access) ? settings.access : undefined;
  const configuredUrl = publicUrl.known;
  // A public URL that `listen` chooses has no path.
  const basePath = new BasePath(configuredUrl?.pathname.slice(0, -1) ?? '');
  const calls = new RequestsInFlight();
  const loginApp = {
    guards: new Guards({
      publicUrl: publicUrl.get,
      allowedHosts: settings.allowedHosts,
      allowedOrigins: settings.allowedOrigins,
    }),
    basePath,
    warnings: new DeploymentWarnings({
      trustedProxies,
      publicUrl: publicUrl.get,
      warn: (message) => logger.warn({}, message),
    }),
    trustedProxies,
    browserFlow: logins.browserFlow,
    loginRequests: new LoginRequestLimits(limits, rates),
    bodyMemory: new BodyMemoryLimit(),
    unreadResponses: new UnreadResponseLimit(),
    keys,
    random,
    clock,
    publicUrl: publicUrl.get,
    brand,
    loginAttemptMs: lifetimes.loginAttemptMs,
    onError,
  };
  const access = composeAccess(settings.access, {
    publicUrl: publicUrl.get,
    clock,
    deadlines,
    limits,
    fetch,
    events,
  });
  const scheduler = new RequestScheduler({ now: () => clock.now() });
  const endpointOptions = {
    endpoint,
    argumentElements: limits.toolArgumentElements,
    access,
    scheduler,
    requestsInFlight: calls,
  };
  const targets = new Set([MCP_PATH, `${basePath.path}${MCP_PATH}`]);
  const appOptions = {
    ...loginApp,
    ...endpointOptions,
    bearer,
    serverName: brand.name,
    sharesIssuerOrigin: bearer !== undefined && new URL(bearer.issuer).origin === configuredUrl?.origin,
    backChannelLogout: composeBackChannelLogout(settings, environment, parts),
    isClosing,
    isReady,
  };
  const app = new LazyApp(async () => (await import('./app.js')).createApp(appOptions));
  return {
    access,
    calls,
    scheduler,
    app,
    handler: nodeHandlerOf(app, basePath, new PlainLane({ ...loginApp, ...endpointOptions, targets })),
    createLoginHandler: () => {
      const pages = new LazyApp(async () => (await import('./app.js')).createLoginApp(loginApp));
      return nodeHandlerOf(pages, basePath);
    },
  };
}
