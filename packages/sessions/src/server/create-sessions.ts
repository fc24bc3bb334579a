import { pino } from 'pino';
import { isBearer } from '../access/access-options.js';
import { createSessionFetch } from '../account/session-fetch.js';
import { SessionError } from '../errors.js';
import { BasePath } from '../http/base-path.js';
import { BodyMemoryLimit } from '../http/body/body-memory-limit.js';
import { RequestScheduler } from '../http/body/request-scheduler.js';
import { CallsInFlight } from '../http/calls-in-flight.js';
import { DeploymentWarnings } from '../http/deployment-warnings.js';
import { Guards } from '../http/guards.js';
import { listen, nodeHandlerOf } from '../http/listen.js';
import { UnreadAnswers } from '../http/unread-answers.js';
import { KeptBytes } from '../limits/kept-bytes.js';
import { LoginListener } from '../login/browser/listener.js';
import { browserOpener, currentDesktop } from '../login/browser/open-browser.js';
import { LoginRequestLimits } from '../login/browser/request-limits.js';
import { LoginChecks } from '../login/login-checks.js';
import { Logins } from '../login/logins.js';
import { Endpoint } from '../mcp/endpoint.js';
import { BearerAccessConnections, OpenAccessConnections } from '../mcp/era-2025/connection-registry.js';
import { RequestContexts } from '../mcp/request/context.js';
import { SUBSCRIPTION_LIMITS } from '../mcp/request/kept-limits.js';
import { RequestStates } from '../mcp/request/request-state.js';
import { ServerFactory } from '../mcp/server/factory.js';
import { RunningCalls } from '../mcp/server/running-calls.js';
import { Subscriptions } from '../mcp/server/subscriptions.js';
import { StdioConnection } from '../mcp/stdio.js';
import { auditLog } from '../observe/audit-log.js';
import { errorLog } from '../observe/error-log.js';
import { quietLogger } from '../observe/quiet-logger.js';
import { logUnfinished } from '../observe/unfinished.js';
import { Provider } from '../provider/provider.js';
import { providerSettings } from '../provider/provider-options.js';
import { logIdOf } from '../session/ids.js';
import { OwnerSessions } from '../session/owner-sessions.js';
import { MapSessionStore } from '../store/map-session-store.js';
import { systemClock } from '../time/clock.js';
import { DrainTimer } from '../time/drain-timer.js';
import { systemRandom } from '../vault/random.js';
import { Vault } from '../vault/vault.js';
import { createApp, createLoginApp, MCP_PATH } from './app.js';
import { assertNotDebugged } from './assert-not-debugged.js';
import { composeAccess } from './compose-access.js';
import { composeSessions } from './compose-sessions.js';
import { holdProcess } from './hold-process.js';
import { Lifecycle } from './lifecycle.js';
import { assertKeepAlive, assertMayListen, assertMayServeStdio } from './listen-rules.js';
import type { CloseOptions, Runtime, SessionsOptions } from './options.js';
import type { Sessions } from './sessions.js';
import { sessionsSettings } from './settings.js';

const DEFAULT_PORT = 3000;

/**
 * Puts the server together.
 * @throws SessionError `configuration` when the options cannot work; the message says what to change.
 */
export function createSessions(options: SessionsOptions): Sessions {
  assertNotDebugged(options.allowDebugging, options.logger);
  const logger = quietLogger(options.logger ?? pino({ level: 'silent' }));
  const { onError, onProtocolError } = errorLog(logger);
  const { clock, random, fetch, store }: Runtime = {
    clock: systemClock,
    random: systemRandom,
    fetch: globalThis.fetch,
    store: new MapSessionStore(),
    ...options.runtime,
  };
  const settings = sessionsSettings(options);
  const { lifetimes, access, limits, trustedProxies, brand } = settings;
  const bearer = isBearer(access) ? access : undefined;
  let { publicUrl } = settings;
  let loginListener: LoginListener | undefined;
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
  const { keys, vault, deadlines, events, disposal, registry, refresher, accounts } = composeSessions({
    clock,
    random,
    store,
    lifetimes,
    maxSessions: limits.maxSessions,
    // With bearer tokens, the limits of users apply.
    maxAnonymousSessions: bearer ? undefined : limits.anonymousSessions,
    limits,
    onError,
    askForTokens: (name, refreshToken) => providerOf(name).refresh(refreshToken),
    revokeTokens: (name, tokens) => providerOf(name).revoke(tokens),
    listeners: (keys) => [auditLog({ logger, logIdOf: (ref) => logIdOf(keys, ref), clock })],
  });
  const sessionFetch = createSessionFetch({
    accounts,
    refresher,
    registry,
    apiOrigins: new Map(settings.providers.map(({ name, apiOrigins }) => [name, apiOrigins])),
    fetch,
  });
  const owners =
    bearer &&
    new OwnerSessions({
      keys,
      registry,
      events,
      random,
      maxConnections: limits.connectionsPerUser,
      hasSessionPerConnection: bearer.sessionPerConnection,
      onError,
    });
  const signIn =
    bearer?.signIn &&
    new Provider(providerSettings({ issuer: bearer.issuer, ...bearer.signIn }), clock, fetch);
  const logins = new Logins({
    providers,
    defaultProvider,
    checks: new LoginChecks({
      subjectClaim: bearer?.subjectClaim ?? 'sub',
      signIn,
    }),
    accounts,
    registry,
    disposal,
    vault,
    events,
    clock,
    deadlines,
    random,
    lifetimes,
    limits,
    publicUrl: knownPublicUrl,
    reachable: async () => {
      publicUrl ??= await loginListener?.open();
    },
    onError,
  });

  const contexts = new RequestContexts(accounts, sessionFetch, defaultProvider);
  const keptSubscriptions = new KeptBytes(SUBSCRIPTION_LIMITS);
  const subscriptions = new Subscriptions({ contexts, events, kept: keptSubscriptions, onError });
  const callsInWork = new RunningCalls({ contexts, clock, deadlines });
  const servers = new ServerFactory({
    callsInWork,
    info: options.server,
    register: options.tools,
    contexts,
    subscriptions,
    onError,
    onProtocolError,
    elicitation: settings.elicitation,
    registry,
    owners,
    accounts,
    logins,
    argumentElements: limits.toolArgumentElements,
    states: new RequestStates(new Vault(keys, random, 'request-state'), random, clock),
    clock,
    random,
    lifetimes,
    defaultProvider,
    providers: [...providers.keys()],
    choices: settings.providers.map(({ name, deviceFlow }) => ({
      name,
      hasChoiceOfFlow: deviceFlow === 'allowed',
    })),
    hasDeviceFlow: settings.providers.some(({ deviceFlow }) => deviceFlow !== undefined),
  });
  const endpoint = new Endpoint({
    keptSubscriptions,
    registry,
    owners,
    connectionRegistry: owners
      ? new BearerAccessConnections(registry, owners, events)
      : new OpenAccessConnections(registry),
    events,
    contexts,
    servers,
    clock,
    deadlines,
    resumableMs: lifetimes.disconnectGraceMs,
    onError,
    onProtocolError,
  });
  const guards = new Guards({
    publicUrl: knownPublicUrl,
    allowedHosts: settings.allowedHosts,
    allowedOrigins: settings.allowedOrigins,
  });
  // A public URL that `listen` chooses has no path.
  const basePath = new BasePath(publicUrl?.pathname.slice(0, -1) ?? '');
  const calls = new CallsInFlight();
  const appOptions = {
    guards,
    basePath,
    warnings: new DeploymentWarnings({
      trustedProxies,
      publicUrl: knownPublicUrl,
      warn: (message) => logger.warn({}, message),
    }),
    trustedProxies,
    logins: logins.browsers,
    loginRequests: new LoginRequestLimits(limits, { clock, deadlines }),
    bodyRoom: new BodyMemoryLimit(),
    unreadAnswers: new UnreadAnswers(),
    keys,
    random,
    publicUrl: knownPublicUrl,
    brand,
    loginAttemptMs: lifetimes.loginAttemptMs,
    onError,
  };
  const accessControl = composeAccess(access, {
    publicUrl: knownPublicUrl,
    clock,
    deadlines,
    limits,
    fetch,
    events,
  });
  const app = createApp({
    ...appOptions,
    endpoint,
    argumentElements: limits.toolArgumentElements,
    bearer,
    serverName: brand.name,
    sharesIssuerOrigin: bearer !== undefined && new URL(bearer.issuer).origin === publicUrl?.origin,
    access: accessControl,
    turns: new RequestScheduler({ now: () => clock.now() }),
    calls,
    isClosing: () => closing !== undefined,
  });
  const handleRequest = nodeHandlerOf(app, basePath);
  const nodeHandler: Sessions['middleware'] = (...request) => {
    serving.overHttp();
    handleRequest(...request);
  };
  const serving = new Lifecycle();
  let closing: Promise<void> | undefined;
  const patience = new DrainTimer(clock);
  const close = ({ drainMs = lifetimes.shutdownDrainMs }: CloseOptions = {}) => {
    if (closing) patience.endAfter(drainMs);
    closing ??= closeEverything(drainMs);
    return closing;
  };

  async function closeEverything(drainMs: number): Promise<void> {
    endpoint.drain();
    logins.stopWaiting();
    await patience.waitFor(calls.settled(), drainMs);
    const cutCalls = calls.count;
    let notRevoked = 0;
    events.subscribe((event) => {
      if (event.type === 'account.revoked' && event.revocation === 'unconfirmed') notRevoked++;
    });
    await registry.endAll('shutdown');
    await patience.waitFor(Promise.all([disposal.settled(), refresher.settled()]), drainMs);
    notRevoked += disposal.pending;
    serving.stop();
    await endpoint.close();
    await serving.close();
    // What was started at the last moment.
    await registry.endAll('shutdown');
    logUnfinished(logger, { cutCalls, notRevoked });
    logins.close();
    deadlines.clear();
    keys.wipe();
  }

  return {
    middleware: nodeHandler,
    handleRequest: async (request, { incoming, outgoing } = {}) => {
      serving.overHttp();
      return app.fetch(request, { ...(incoming && { incoming }), ...(outgoing && { outgoing }) });
    },
    resourceUpdated(uri) {
      subscriptions.resourceUpdated(uri);
      endpoint.resourceUpdated(uri);
    },
    onEvent: (listener) => events.subscribe(listener),

    async checkProviders() {
      const asked = [accessControl, ...providers.values(), ...(signIn ? [signIn] : [])];
      await Promise.all(asked.map((each) => each.prepare()));
    },

    async listen({ port = DEFAULT_PORT, host = '127.0.0.1', keepAliveMs } = {}) {
      assertMayListen(host, access, publicUrl);
      assertKeepAlive(keepAliveMs);
      serving.overHttp();
      const connections = { ...limits, trustedProxies };
      const listening = await listen(nodeHandler, { port, host, keepAliveMs, limits: connections });
      await serving.through(listening);
      publicUrl ??= new URL(`http://${host.includes(':') ? `[${host}]` : host}:${listening.port}`);
      return { url: new URL(`.${MCP_PATH}`, publicUrl).href };
    },

    async serveStdio({ openBrowser = true } = {}) {
      assertMayServeStdio(settings);
      serving.overStdio();
      const pages = new LoginListener(nodeHandlerOf(createLoginApp(appOptions), basePath));
      loginListener = pages;
      const connection = await StdioConnection.open({
        registry,
        contexts,
        servers,
        subscriptions,
        openBrowser: openBrowser ? browserOpener(currentDesktop(), onError) : undefined,
        onError,
        onProtocolError,
        onBadLine: (reason) => logger.warn({ reason }, 'A line on stdin is not a JSON-RPC message'),
      });
      await serving.through(connection, pages);
      const letGo = holdProcess(() => connection.stop());
      try {
        await connection.closed;
        await close();
      } finally {
        letGo();
      }
    },

    close,
  };
}
