import { type Branding, type CloseOptions, createSessions, type Sessions } from 'mcp-sessions';
import { destination, type Logger, pino } from 'pino';
import { type Backend, operatorBackend } from './backend.js';
import { loadBranding } from './branding.js';
import type { Configuration, HttpTransport, StdioTransport } from './configuration.js';
import { surviveMistakes } from './survive-mistakes.js';

/** Where everything can be reached. This is also the line that `--json` prints. */
export interface Addresses {
  /** The MCP endpoint. */
  readonly mcp: string;
  /** The issuer of the tokens, embedded or not. */
  readonly identityProvider: string;
  /** The embedded notes API; `null` with the operator's own provider. */
  readonly api: string | null;
}

export interface RunningServer {
  /** The MCP server's name, under which clients add it. */
  readonly name: string;
  readonly addresses: Addresses;
  /** Closes the server as `sessions.close` does: lets calls finish, wipes and revokes every login, then stops. */
  close(options?: CloseOptions): Promise<void>;
}

const STDERR = 2;
/** Clients kill the process two seconds after they have closed its stdin. */
const STDIO_DRAIN_MS = 1000;

/**
 * Starts the MCP server and what it is put in front of. What was started is closed again when the rest fails.
 *
 * @throws ConfigurationError; the `EADDRINUSE` error of Node, which carries the port, when a port is taken
 */
export async function startServer(
  configuration: Configuration,
  { host, port, keepAliveMs }: HttpTransport,
): Promise<RunningServer> {
  const branding = await loadBranding(configuration.branding);
  const backend = await startBackend(configuration);
  try {
    const { sessions, reportUnreadiness } = assemble(configuration, branding, backend);
    const { url } = await sessions.listen({ host, port, keepAliveMs });
    backend.onListening?.(url);
    reportUnreadiness();
    return {
      name: backend.server.name,
      addresses: { mcp: url, identityProvider: backend.provider.issuer, api: backend.api },
      close: async (options) => {
        // The provider goes last: signing out revokes tokens there.
        await sessions.close(options);
        await backend.close();
      },
    };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/**
 * Serves the client that started this process, from start to end.
 *
 * @param onReady called with the server's name when it starts to listen to the client
 * @returns when everything is signed out and closed
 * @throws as `startServer`
 */
export async function serveStdio(
  configuration: Configuration,
  { openBrowser }: StdioTransport,
  onReady: (name: string) => void,
): Promise<void> {
  const branding = await loadBranding(configuration.branding);
  const backend = await startBackend(configuration);
  try {
    const { sessions, reportUnreadiness } = assemble(configuration, branding, backend);
    reportUnreadiness();
    onReady(backend.server.name);
    await sessions.serveStdio({ openBrowser });
  } finally {
    await backend.close();
  }
}

function assemble(
  { transport, lifetimes, limits, elicitation, allowed, logLevel, allowDebugging }: Configuration,
  branding: Branding,
  { api: _, close: __, onListening: ___, provider: providers, ...options }: Backend,
): { sessions: Sessions; reportUnreadiness: () => void } {
  // Synchronous, so that nothing is lost when the process exits.
  const logger = pino({ level: logLevel }, destination({ dest: STDERR, sync: true }));
  surviveMistakes(logger);
  const sessions = createSessions({
    ...options,
    providers,
    ...allowed,
    branding,
    limits,
    elicitation,
    lifetimes: { ...(transport.kind === 'stdio' && { shutdownDrainMs: STDIO_DRAIN_MS }), ...lifetimes },
    logger,
    allowDebugging,
  });
  return { sessions, reportUnreadiness: () => reportUnreadiness(sessions, logger) };
}

/** An unreachable provider is no reason not to start, but the operator should not hear of it from users. */
function reportUnreadiness(sessions: Sessions, logger: Logger): void {
  sessions.checkProviders().catch((error: Error) => logger.warn(error.message));
}

async function startBackend({ upstream, toolsModule }: Configuration): Promise<Backend> {
  if (upstream.kind === 'operator') return operatorBackend(upstream);
  // Imported only here, so that a server with a real provider never loads the one that believes any name.
  const { startSample } = await import('./sample/start-sample.js');
  return startSample(upstream, toolsModule);
}
