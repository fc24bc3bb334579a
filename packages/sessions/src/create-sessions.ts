import type { IncomingMessage, ServerResponse } from 'node:http';
import { pino } from 'pino';
import type { Session } from './account/session.js';
import { createSessionFetch } from './account/session-fetch.js';
import { assemble } from './assembly.js';
import { assertNotDebugged, currentProcessSettings } from './debugging-gate.js';
import { SessionError } from './errors.js';
import { createApp, MCP_PATH } from './http/app.js';
import { Guards } from './http/guards.js';
import { type ListeningServer, listen, nodeHandlerOf } from './http/listen.js';
import { Logins } from './login/logins.js';
import { isLoopbackHost } from './loopback.js';
import { Endpoint } from './mcp/endpoint.js';
import { type CurrentSession, RequestContexts } from './mcp/request-context.js';
import { RequestStates } from './mcp/request-state.js';
import { ServerFactory } from './mcp/server-factory.js';
import { auditLog } from './observe/audit-log.js';
import { Provider } from './provider/provider.js';
import { logIdOf } from './session/ids.js';
import type { SessionListener } from './session/session-events.js';
import type { ListenOptions, Runtime, SessionsOptions } from './sessions-options.js';
import { sessionsSettings } from './sessions-settings.js';
import { MapSessionStore } from './store/map-session-store.js';
import { systemClock } from './time/clock.js';
import { systemRandom } from './vault/random.js';
import { Vault } from './vault/vault.js';

/** An MCP server whose every client logs in as its own user. */
export interface Sessions extends CurrentSession {
  /** Starts an HTTP server of its own, on loopback unless told otherwise. @returns the MCP endpoint's address. */
  listen(options?: ListenOptions): Promise<{ readonly url: string }>;
  /** Serves a request of Node's HTTP server, or of a framework on top of it. Needs `publicUrl`. */
  readonly nodeHandler: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * Serves a web-standard request. Needs `publicUrl`. Nothing is known of the connection here, so logins
   * always ask for the confirmation code.
   */
  fetch(request: Request): Promise<Response>;
  /** Hears what happens to sessions. @returns a function that ends the subscription. */
  subscribe(listener: SessionListener): () => void;
  /** The session of the request at hand. @throws SessionError `no_request` outside of one. */
  current(): Session;
  /** Whether the identity provider can be reached; logins ask for it themselves. @throws SessionError if not. */
  ready(): Promise<void>;
  /** Ends every session: wipes at once, then has tokens revoked upstream for at most `shutdownDrainMs`. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 3000;

/**
 * Puts the server together.
 * @throws SessionError `configuration` when the options cannot work; the message says what to change.
 */
export function createSessions(options: SessionsOptions): Sessions {
  if (!options.allowDebugging) assertNotDebugged(currentProcessSettings());
  const logger = options.logger ?? pino({ level: 'silent' });
  const onError = (error: unknown) => logger.error({ err: withoutDetails(error) }, 'internal error');
  const { clock, random, fetch, store }: Runtime = {
    clock: systemClock,
    random: systemRandom,
    fetch: globalThis.fetch,
    store: new MapSessionStore(),
    ...options.runtime,
  };
  const settings = sessionsSettings(options);
  const { lifetimes } = settings;
  let { publicUrl } = settings;
  const knownPublicUrl = () => {
    if (publicUrl) return publicUrl;
    throw new SessionError('configuration', 'Give `publicUrl`, or let `listen` find it.');
  };

  const [{ name: defaultProvider }] = settings.providers;
  const providers = new Map(settings.providers.map((each) => [each.name, new Provider(each, clock, fetch)]));
  const providerOf = (name: string) => {
    const provider = providers.get(name);
    if (provider) return provider;
    throw new SessionError('unknown_provider', `There is no provider "${name}" here.`);
  };
  const { keys, vault, deadlines, events, disposal, registry, refreshes, accounts } = assemble({
    clock,
    random,
    store,
    lifetimes,
    maxSessions: settings.maxSessions,
    onError,
    askForTokens: (name, refreshToken) => providerOf(name).refresh(refreshToken),
    revokeTokens: (name, tokens) => providerOf(name).revoke(tokens),
    listeners: (keys) => [auditLog(logger, (ref) => logIdOf(keys, ref))],
  });
  const sessionFetch = createSessionFetch({
    accounts,
    refreshes,
    registry,
    apiOrigins: options.apiOrigins,
    providerOrigins: new Map(
      settings.providers.flatMap(({ name, apiOrigins }) => (apiOrigins ? [[name, apiOrigins] as const] : [])),
    ),
    fetch,
  });
  const logins = new Logins({
    providers,
    accounts,
    registry,
    disposal,
    vault,
    events,
    clock,
    deadlines,
    random,
    lifetimes,
    publicUrl: knownPublicUrl,
  });

  const contexts = new RequestContexts(accounts, sessionFetch, defaultProvider);
  const servers = new ServerFactory({
    info: options.server,
    register: options.tools,
    contexts,
    registry,
    accounts,
    logins,
    states: new RequestStates(new Vault(keys, random, 'request-state'), random, clock),
    clock,
    random,
    lifetimes,
    defaultProvider,
    providers: [...providers.keys()],
  });
  const endpoint = new Endpoint({ registry, events, contexts, servers, onError });
  const guards = new Guards({
    publicUrl: knownPublicUrl,
    allowedHosts: settings.allowedHosts,
    allowedOrigins: settings.allowedOrigins,
  });
  const app = createApp({
    endpoint,
    guards,
    logins,
    keys,
    random,
    publicUrl: knownPublicUrl,
    serverName: options.server.title ?? options.server.name,
    loginAttemptMs: lifetimes.loginAttemptMs,
    onError,
  });
  const nodeHandler = nodeHandlerOf(app);
  let listening: ListeningServer | undefined;

  return {
    nodeHandler,
    fetch: async (request) => app.fetch(request, {}),
    subscribe: (listener) => events.subscribe(listener),
    current: () => contexts.current(),

    async ready() {
      await Promise.all([...providers.values()].map((provider) => provider.prepare()));
    },

    async listen({ port = DEFAULT_PORT, host = '127.0.0.1', allowOpenAccessFromNetwork = false } = {}) {
      assertMayListen(host, allowOpenAccessFromNetwork, publicUrl);
      listening = await listen(nodeHandler, port, host);
      publicUrl ??= new URL(`http://${host.includes(':') ? `[${host}]` : host}:${listening.port}`);
      return { url: new URL(MCP_PATH, publicUrl).href };
    },

    async close() {
      endpoint.refuse();
      listening?.stop();
      await registry.endAll('shutdown');
      const settled = Promise.all([disposal.settled(), refreshes.settled()]);
      const drained = new Promise<void>((resolve) => clock.after(lifetimes.shutdownDrainMs, resolve));
      await Promise.race([settled, drained]);
      await endpoint.close();
      await listening?.close();
      // What was started at the last moment.
      await registry.endAll('shutdown');
      deadlines.clear();
      keys.wipe();
    },
  };
}

function assertMayListen(host: string, allowOpenAccess: boolean, publicUrl: URL | undefined): void {
  if (isLoopbackHost(host)) return;
  if (!allowOpenAccess) {
    throw new SessionError(
      'configuration',
      `Listening on ${host} would let anybody on the network in who knows a session's id. Listen on 127.0.0.1 behind a proxy, or say \`allowOpenAccessFromNetwork: true\`.`,
    );
  }
  if (!publicUrl) {
    throw new SessionError(
      'configuration',
      `Listening on ${host} needs a \`publicUrl\`, under which browsers find this server.`,
    );
  }
}

/** What may be logged of an error: messages of other libraries can quote what they were given. */
function withoutDetails(error: unknown): { name: string; code?: unknown; stack?: string } {
  if (!(error instanceof Error)) return { name: typeof error };
  const frames = error.stack
    ?.split('\n')
    .filter((line) => line.startsWith('    at '))
    .join('\n');
  return { name: error.name, ...('code' in error && { code: error.code }), ...(frames && { stack: frames }) };
}
