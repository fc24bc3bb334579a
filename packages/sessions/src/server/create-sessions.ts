import { SessionError } from '../errors.js';
import { MCP_PATH } from '../http/base-path.js';
import { listen } from '../http/listen.js';
import { statusChangedBy } from '../mcp/server/status-resource.js';
import { auditLog } from '../observe/audit-log.js';
import { errorLog } from '../observe/error-log.js';
import { quietLogger } from '../observe/logger.js';
import { omitUndefined } from '../omit-undefined.js';
import { SessionAdministration } from '../session/session-administration.js';
import { publicListener } from '../session/session-events.js';
import type { JoinableCluster } from '../store/cluster.js';
import { type CreatePorts, createMapPorts } from '../store/ports.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { systemClock } from '../time/clock.js';
import { systemRandom } from '../vault/random.js';
import { assertNotDebugged } from './assert-not-debugged.js';
import { BackgroundLoads } from './background-loads.js';
import { composeHttp } from './compose-http.js';
import { composeLogins, type LoginParts } from './compose-logins.js';
import { composeMcp, type McpParts } from './compose-mcp.js';
import { composeSessions, type ServerEnvironment, type SessionParts } from './compose-sessions.js';
import { composeTelemetry } from './compose-telemetry.js';
import { holdProcess, Lifecycle } from './lifecycle.js';
import { assertKeepAlive, assertMayListen, assertMayServeStdio } from './listen-rules.js';
import { closeOptions, listenOptions, serveStdioOptions } from './method-options.js';
import type { NamedProviders, SessionsOptions } from './options.js';
import { environmentFetch, proxyFor } from './proxy-fetch.js';
import { PublicUrl } from './public-url.js';
import type { Sessions } from './sessions.js';
import { sessionsSettings } from './settings.js';
import { Shutdown } from './shutdown.js';

const DEFAULT_PORT = 3000;

/**
 * Creates an MCP server whose clients each log in as their own user. It serves nothing until `listen`, `serveStdio`,
 * `middleware` or `handleRequest` is called.
 * @throws SessionError `configuration` if the options are invalid; the message says what to change
 */
export function createSessions<ProviderName extends string>(
  options: SessionsOptions<ProviderName> & NamedProviders<ProviderName>,
): Sessions;
/** Without a name, a provider is called as its host, which its type does not tell: every name is accepted. */
export function createSessions(options: SessionsOptions): Sessions;
export function createSessions(options: SessionsOptions): Sessions {
  return createSessionsWith(createMapPorts, options);
}

/** {@link createSessions} with other stores. Internal: nodes cannot share a store yet. */
export function createSessionsWith(createPorts: CreatePorts, options: SessionsOptions): Sessions {
  return composeServer(createPorts, options).sessions;
}

/** A server, and what it is composed of. */
interface ComposedServer {
  readonly sessions: Sessions;
  readonly parts: SessionParts;
  /** Where requests come that HTTP has admitted. */
  readonly endpoint: McpParts['endpoint'];
}

/** {@link createSessionsWith}, with the parts. Internal: benchmarks log sessions in without a browser, and call tools without HTTP. */
export function composeServer(createPorts: CreatePorts, options: SessionsOptions): ComposedServer {
  const settings = sessionsSettings(options);
  assertNotDebugged(options.allowDebugging, options.logger);
  const logger = quietLogger(options.logger);
  const runtime = {
    clock: systemClock,
    random: systemRandom,
    ...omitUndefined({ ...options.runtime, fetch: options.runtime?.fetch ?? environmentFetch() }),
  };
  const errors = errorLog(logger);
  // Only the entries of engines make clusters.
  const cluster = options.cluster as JoinableCluster | undefined;
  const node = cluster?.join({
    random: runtime.random,
    report: (level, message) => logger[level]({}, message),
    onError: errors.onError,
  });
  const environment: ServerEnvironment = {
    ...runtime,
    createPorts,
    // A node has the clock, the keys and the stores of its cluster.
    ...(node && { clock: node.clock, keys: node.keys, createPorts: node.createPorts }),
    logger,
    ...errors,
    telemetry: Telemetry.registered(node?.clock ?? runtime.clock),
  };
  const { onError, onProtocolError } = environment;
  const { access, limits, lifetimes, trustedProxies } = settings;
  const publicUrl = new PublicUrl(settings.publicUrl);
  const sessionParts = composeSessions(settings, environment);
  const parts = { ...sessionParts, ...composeLogins(settings, environment, sessionParts, publicUrl) };
  const mcp = composeMcp(settings, environment, parts);
  const http = composeHttp(settings, environment, parts, {
    endpoint: mcp.endpoint,
    publicUrl,
    isClosing: () => shutdown.hasBegun,
    isReady: () => node?.isReady ?? true,
  });
  const lifecycle = new Lifecycle();
  const loads = new BackgroundLoads(http.calls);
  const shutdown = new Shutdown({ ...environment, ...parts, ...mcp, ...http, lifecycle, node });
  const { events } = parts;
  if (environment.telemetry) composeTelemetry(environment.telemetry, { ...parts, ...http, node });
  events.subscribe(publicListener(parts.keys, auditLog({ ...environment, node: node?.name })));
  subscribeParts(parts, mcp);
  const administration = new SessionAdministration({ ...environment, ...parts });

  const middleware: Sessions['middleware'] = (...request) => {
    lifecycle.overHttp();
    http.handler(...request);
  };

  const sessions: Sessions = {
    middleware,

    async handleRequest(request, { incoming, outgoing } = {}) {
      lifecycle.overHttp();
      const app = await http.app.load();
      return app.fetch(request, { ...(incoming && { incoming }), ...(outgoing && { outgoing }) });
    },

    resourceUpdatedForAll(uri) {
      mcp.contexts.resourceUpdates.notify(uri);
    },

    list: () => administration.list(),

    signOut: (filter) => administration.signOut(filter),

    onEvent: (listener) => events.subscribe(publicListener(parts.keys, listener)),

    async checkProviders() {
      const { reportProviders } = await import('./provider-reports.js');
      return reportProviders(
        settings,
        { ...environment, ...(options.runtime?.fetch ? {} : { proxyFor }) },
        publicUrl.known,
      );
    },

    async listen(options) {
      const { port = DEFAULT_PORT, host = '127.0.0.1', keepAliveMs } = listenOptions(options);
      assertMayListen(host, access, publicUrl.known);
      assertKeepAlive(keepAliveMs);
      lifecycle.overHttp();
      await node?.ready();
      const connections = { ...limits, trustedProxies };
      const listening = await listen(middleware, { port, host, keepAliveMs, limits: connections });
      await lifecycle.through(listening);
      publicUrl.learn(new URL(`http://${host.includes(':') ? `[${host}]` : host}:${listening.port}`));
      void loads.run();
      return { url: new URL(`.${MCP_PATH}`, publicUrl.get()).href };
    },

    async serveStdio(options) {
      const { openBrowser = true, callbackPort, callbackHost } = serveStdioOptions(options);
      assertMayServeStdio(settings);
      lifecycle.overStdio();
      const { browserOpener, currentDesktop, LoginListener, StdioConnection } = await import('./stdio.js');
      const loginPages = new LoginListener(http.createLoginHandler(), {
        port: callbackPort,
        host: callbackHost,
      });
      publicUrl.openOnDemand(() =>
        loginPages.open().catch((error: unknown) => {
          // The port is in use, which only the operator can change.
          if (error instanceof SessionError)
            logger.warn({ setting: 'callbackPort', port: callbackPort }, error.message);
          throw error;
        }),
      );
      const connection = await StdioConnection.open({
        ...parts,
        ...mcp,
        openBrowser: openBrowser ? browserOpener(currentDesktop(), onError) : undefined,
        onError,
        onProtocolError,
        onBadLine: (reason) => logger.warn({ reason }, 'A line on stdin is not a JSON-RPC message'),
      });
      await lifecycle.through(connection, loginPages);
      const release = holdProcess(() => connection.stop());
      try {
        await connection.closed;
        await shutdown.run(lifetimes.shutdownDrainMs);
      } finally {
        release();
      }
    },

    async close(options) {
      const { drainMs = lifetimes.shutdownDrainMs } = closeOptions(options);
      const isLoaded = loads.stop();
      await shutdown.run(drainMs);
      await isLoaded;
    },
  };
  return { sessions, parts, endpoint: mcp.endpoint };
}

/** Subscribes the parts that follow events, in the order in which they are called, after the audit log. */
function subscribeParts(
  parts: SessionParts & LoginParts,
  { subscriptions, endpoint }: Pick<McpParts, 'subscriptions' | 'endpoint'>,
): void {
  const { events, registry, refreshPolicy, sessionsPerAccount, states, logins, sessionMessages } = parts;
  const ofSessions = [refreshPolicy, sessionsPerAccount, states];
  for (const part of [...ofSessions, logins, subscriptions, endpoint])
    events.subscribe((event) => part.handleEvent(event));
  if (!sessionMessages) return;
  events.subscribe((event) => {
    const changed = statusChangedBy(event);
    if (changed !== undefined) sessionMessages.publish(changed);
  });
  // The parts that keep something of sessions in this process.
  registry.onChangedElsewhere((change) => {
    for (const part of [states, subscriptions, endpoint]) part.handleEvent(change);
  });
}
