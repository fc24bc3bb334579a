import { MemoryQuota } from '../limits/memory-quota.js';
import { Endpoint } from '../mcp/endpoint.js';
import { BearerAccessConnections, OpenAccessConnections } from '../mcp/era-2025/connection-registry.js';
import { PlainTools } from '../mcp/plain-tools/plain-tools.js';
import { BoundStates } from '../mcp/request/bound-state.js';
import { SUBSCRIPTION_LIMITS } from '../mcp/request/client-memory-limits.js';
import { RequestContexts } from '../mcp/request/context.js';
import { RequestStates } from '../mcp/request/request-state.js';
import { ServerFactory } from '../mcp/server/factory.js';
import { ResourceMessages } from '../mcp/server/resource-messages.js';
import { RunningCalls } from '../mcp/server/running-calls.js';
import { SlowCalls } from '../mcp/server/slow-calls.js';
import { Subscriptions } from '../mcp/server/subscriptions.js';
import { LogThrottle } from '../observe/log-throttle.js';
import type { Logger } from '../observe/logger.js';
import { logIdOf, publicIdOf, type SessionRef } from '../session/ids.js';
import type { SessionSnapshot } from '../session/session-record.js';
import { Operations } from '../telemetry/operation.js';
import { Vault } from '../vault/vault.js';
import type { LoginParts } from './compose-logins.js';
import type { ServerEnvironment, SessionParts } from './compose-sessions.js';
import type { SessionsSettings } from './settings.js';

/** The MCP server: its tools, and the endpoint for clients over HTTP. */
export interface McpParts {
  readonly contexts: RequestContexts;
  readonly subscriptions: Subscriptions;
  readonly servers: ServerFactory;
  readonly endpoint: Endpoint;
}

/** Composes both protocol eras over the sessions. */
export function composeMcp(
  settings: SessionsSettings,
  { clock, random, logger, telemetry, onError, onProtocolError }: ServerEnvironment,
  {
    keys,
    deadlines,
    oneTime,
    events,
    registry,
    owners,
    accounts,
    rejections,
    sessionFetch,
    states,
    logins,
    messages,
    outlivesProcess,
  }: SessionParts & LoginParts,
): McpParts {
  const { lifetimes, limits, providers } = settings;
  const [{ name: defaultProvider }, ...others] = providers;
  const names = [defaultProvider, ...others.map(({ name }) => name)] as const;
  const idOf = (session: SessionSnapshot) => publicIdOf(keys, session);
  const contexts = new RequestContexts({
    accounts,
    rejections,
    fetch: sessionFetch,
    states,
    idOf,
    providers: names,
  });
  if (outlivesProcess) {
    const dropped = new LogThrottle<string>(clock, (event, updates) =>
      logger.warn({ event, updates }, UPDATES_DROPPED),
    );
    new ResourceMessages({
      messages,
      updates: contexts.resourceUpdates,
      clock,
      isOver: (session) => registry.isOver(session),
      onDropped: () => dropped.add('resources', 'resource_updates.dropped'),
    });
  }
  const keptSubscriptions = new MemoryQuota(SUBSCRIPTION_LIMITS);
  const subscriptions = new Subscriptions({ contexts, kept: keptSubscriptions, onError });
  const runningCalls = new RunningCalls({ contexts, clock, deadlines });
  const authorStates = new BoundStates({
    contexts,
    idOf,
    macOf: (...fields) => keys.mac('request-state', ...fields).toString('base64url'),
    verify: (state, protocol) => settings.server.requestState?.verify?.(state, protocol),
  });
  const servers = new ServerFactory({
    runningCalls,
    info: settings.server,
    register: settings.tools,
    contexts,
    subscriptions,
    onError,
    onProtocolError,
    elicitation: settings.elicitation,
    messages: outlivesProcess ? messages : undefined,
    registry,
    owners,
    accounts,
    logins,
    argumentElements: limits.toolArgumentElements,
    states: new RequestStates({ vault: new Vault(keys, random, 'request-state'), random, clock, oneTime }),
    authorStates,
    clock,
    random,
    lifetimes,
    defaultProvider,
    providers: names,
    choices: providers.map(({ name, deviceFlow }) => ({ name, hasChoiceOfFlow: deviceFlow === 'allowed' })),
    hasDeviceFlow: providers.some(({ deviceFlow }) => deviceFlow !== undefined),
  });
  const plainTools = new PlainTools({
    servers,
    contexts,
    runningCalls,
    authorStates,
    clock,
    deadlines,
    defaultProvider,
    hasHandles: !owners,
    argumentElements: limits.toolArgumentElements,
    serverInfo: servers.identity,
    onError,
  });
  const endpoint = new Endpoint({
    // Only references of sessions come here.
    operations: telemetry && new Operations(telemetry, (ref) => logIdOf(keys, ref as SessionRef)),
    plainTools: settings.dispatch === 'direct' ? plainTools : undefined,
    keptSubscriptions,
    registry,
    owners,
    connectionRegistry: owners
      ? new BearerAccessConnections({ registry, owners, events, isShared: outlivesProcess, onError })
      : new OpenAccessConnections(registry),
    contexts,
    servers,
    clock,
    deadlines,
    slowCalls: new SlowCalls({ clock, deadlines }),
    hibernates: settings.hibernate,
    resumableMs: lifetimes.disconnectGraceMs,
    onError,
    onProtocolError,
    onDifferentServers: () => logger.info({}, DIFFERENT_SERVERS),
    onOpenElsewhere: outlivesProcess ? warnOnce(logger, OPEN_ELSEWHERE) : undefined,
  });
  return { contexts, subscriptions, servers, endpoint };
}

const UPDATES_DROPPED =
  'Tools have announced more changes of resources than this server tells the others. Their clients were not notified of the rest.';

const DIFFERENT_SERVERS =
  '`tools` has made two server objects that answer `initialize` differently, so from now on each new 2025 connection gets its server object at once, which costs memory and time. To avoid that, declare the same capabilities and register the same kinds of tools, prompts and resources for each connection (docs/tools.md).';
const OPEN_ELSEWHERE =
  'A 2025 client has sent a request to this server with the id of a connection that another server has, or had before it was restarted. If no server was restarted, configure the load balancer to send all requests with the same `Mcp-Session-Id` to the same server (docs/cluster.md).';

function warnOnce(logger: Logger, message: string): () => void {
  let hasWarned = false;
  return () => {
    if (!hasWarned) logger.warn({}, message);
    hasWarned = true;
  };
}
