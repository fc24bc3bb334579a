import {
  type Branding,
  type CloseOptions,
  createSessions,
  type Logger,
  type Sessions,
  type SessionsOptions,
} from 'mcp-sessions';
import { destination, pino } from 'pino';
import { type Backend, operatorBackend } from './backend.js';
import { loadBranding } from './branding.js';
import { whatToDoAbout } from './check.js';
import type { Configuration } from './configuration.js';
import { logUncaughtErrors } from './log-uncaught-errors.js';
import { logWithNames } from './log-with-names.js';
import type { MetricsServer } from './metrics/metrics-server.js';
import type { SettingNames } from './setting-names.js';
import type { HttpTransport, StdioTransport } from './transport.js';

/** The addresses that `--json` prints. */
export interface Addresses {
  /** The MCP endpoint. */
  readonly mcp: string;
  /** The issuer of the first provider. */
  readonly identityProvider: string;
  /** The embedded notes API; `null` with the operator's provider. */
  readonly api: string | null;
  /** Of the metrics for Prometheus. Absent without them. */
  readonly metrics?: string;
}

export interface RunningServer {
  /** The name under which clients add the server. */
  readonly name: string;
  readonly addresses: Addresses;
  /** Of all providers. */
  readonly issuers: readonly string[];
  /** Closes the server as `sessions.close` does: lets calls finish, wipes and revokes every login, then stops. */
  close(options?: CloseOptions): Promise<void>;
}

const STDERR = 2;
/** Clients kill the process two seconds after they have closed its stdin. */
const STDIO_DRAIN_MS = 1000;

/**
 * Starts the backend and the MCP server. If the server fails to start, the backend is closed.
 *
 * @throws ConfigurationError; the `EADDRINUSE` error of Node, which contains the port, if a port is taken
 */
export async function startServer(
  configuration: Configuration,
  { host, port, keepAliveMs, metrics: metricsAddress }: HttpTransport,
): Promise<RunningServer> {
  const branding = await loadBranding(configuration.branding, configuration.nameOf);
  // Before the sessions are created, which measure if a provider of meters is registered then.
  const metrics = await loadMetrics(metricsAddress);
  const backend = await startBackend(configuration).catch(async (error: unknown) => {
    await metrics?.close();
    throw error;
  });
  try {
    const cluster = await loadCluster(configuration);
    const { sessions, warnAboutProviders } = createServer(configuration, branding, backend, cluster);
    const { url } = await sessions.listen({ host, port, keepAliveMs });
    backend.onListening?.(url);
    warnAboutProviders();
    return {
      name: backend.server.name,
      addresses: {
        mcp: url,
        identityProvider: backend.providers[0].issuer,
        api: backend.api,
        ...(metrics && { metrics: metrics.url }),
      },
      issuers: backend.providers.map(({ issuer }) => issuer),
      close: async (options) => {
        // The embedded provider closes last, because its tokens are revoked there.
        await sessions.close(options);
        await backend.close();
        await metrics?.close();
      },
    };
  } catch (error) {
    await backend.close();
    await metrics?.close();
    throw error;
  }
}

/**
 * Serves the client that started this process.
 *
 * @param onReady called with the server's name when the server is about to read stdin
 * @returns when all sessions have ended and the backend is closed
 * @throws the errors of `startServer`
 */
export async function serveStdio(
  configuration: Configuration,
  { openBrowser, callbackPort, callbackHost }: StdioTransport,
  onReady: (name: string) => void,
): Promise<void> {
  const branding = await loadBranding(configuration.branding, configuration.nameOf);
  const backend = await startBackend(configuration);
  try {
    const { sessions, warnAboutProviders } = createServer(configuration, branding, backend);
    warnAboutProviders();
    onReady(backend.server.name);
    await sessions.serveStdio({ openBrowser, callbackPort, callbackHost });
  } finally {
    await backend.close();
  }
}

function createServer(
  configuration: Configuration,
  branding: Branding,
  { api: _, close: __, onListening: ___, ...options }: Backend,
  cluster?: SessionsOptions['cluster'],
): { sessions: Sessions; warnAboutProviders: () => void } {
  const {
    transport,
    lifetimes,
    limits,
    elicitation,
    dispatch,
    hibernate,
    allowed,
    logLevel,
    allowDebugging,
    names,
  } = configuration;
  // Synchronous, so that no entry is lost when the process exits.
  const output = pino({ level: logLevel }, destination({ dest: STDERR, sync: true }));
  logUncaughtErrors(output);
  const logger = logWithNames(output, names);
  const sessions = createSessions({
    ...options,
    ...allowed,
    branding,
    limits,
    elicitation,
    dispatch,
    hibernate,
    lifetimes: { ...(transport.kind === 'stdio' && { shutdownDrainMs: STDIO_DRAIN_MS }), ...lifetimes },
    logger,
    allowDebugging,
    cluster,
  });
  return { sessions, warnAboutProviders: () => void warnAboutProviders(sessions, logger, names) };
}

/** The server starts although a provider cannot be used, and tells the operator before users notice. */
async function warnAboutProviders(sessions: Sessions, logger: Logger, names: SettingNames): Promise<void> {
  for (const { provider, checks } of await sessions.checkProviders()) {
    for (const each of checks) {
      const { check, result, found, setting } = each;
      if (result !== 'failed') continue;
      const entry = { provider, check, ...(setting !== undefined && { setting }) };
      const whatToDo = whatToDoAbout(provider, each, names) ?? '';
      logger.warn(entry, `The check of the provider failed: ${found}. ${whatToDo}`.trimEnd());
    }
  }
}

async function loadMetrics(address: HttpTransport['metrics']): Promise<MetricsServer | undefined> {
  if (!address) return undefined;
  // Imported here, so that a server without metrics loads nothing of them.
  const { serveMetrics } = await import('./metrics/metrics-server.js');
  return serveMetrics(address);
}

async function loadCluster({ cluster }: Configuration): Promise<SessionsOptions['cluster']> {
  if (!cluster) return undefined;
  // Imported here, so that a server without an engine loads nothing of it.
  const { redisCluster } = await import('mcp-sessions/redis');
  return redisCluster(cluster);
}

async function startBackend({ upstream, toolsModule }: Configuration): Promise<Backend> {
  if (upstream.kind === 'operator') return operatorBackend(upstream);
  // Imported here, so that a server with a real provider never loads the one that accepts any name.
  const { startSample } = await import('./sample/start-sample.js');
  return startSample(upstream, toolsModule);
}
