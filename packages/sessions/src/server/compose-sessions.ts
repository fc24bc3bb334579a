import { isBearer } from '../access/access-options.js';
import { Accounts } from '../account/accounts.js';
import { RefreshPolicy } from '../account/refresh/policy.js';
import { TokenRefresher } from '../account/refresh/refresher.js';
import { RefreshScheduler } from '../account/refresh/scheduler.js';
import { createSessionFetch, type SessionFetch } from '../account/session-fetch.js';
import { SessionStates } from '../account/session-state.js';
import { TokenRejections } from '../account/token-rejection.js';
import { unknownProvider } from '../errors.js';
import type { OneTimeStore } from '../limits/one-time-store.js';
import type { Rates } from '../limits/rates.js';
import { loginGrantsOf } from '../login/attempt-record.js';
import type { AttemptStore } from '../login/attempt-store.js';
import type { ErrorLog } from '../observe/error-log.js';
import { LogThrottle } from '../observe/log-throttle.js';
import type { Logger } from '../observe/logger.js';
import { Provider } from '../provider/provider.js';
import type { ProviderRuntime } from '../provider/provider-requests.js';
import { AccountTokens } from '../session/account-tokens.js';
import { SessionsPerAccount } from '../session/capacity/sessions-per-account.js';
import { Disposal } from '../session/disposal.js';
import { DueSessions } from '../session/due-sessions.js';
import { ExpiryNotices } from '../session/expiry-notices.js';
import { GrantsInUse } from '../session/grants-in-use.js';
import type { Messages } from '../session/messages.js';
import { OwnerSessions } from '../session/owner-sessions.js';
import { isPresent } from '../session/presence.js';
import { PresenceVisits } from '../session/presence-visits.js';
import { providerFailed, SessionEvents } from '../session/session-events.js';
import { SessionMessages } from '../session/session-messages.js';
import { SessionRegistry } from '../session/session-registry.js';
import type { CreatePorts, Ports } from '../store/ports.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { Deadlines } from '../time/deadlines.js';
import { KeyHierarchy } from '../vault/key-hierarchy.js';
import { Vault } from '../vault/vault.js';
import { measuredPorts } from './measured-ports.js';
import { measuredRequests } from './measured-providers.js';
import type { Runtime } from './options.js';
import type { SessionsSettings } from './settings.js';

/** What the composers use besides the settings. */
export interface ServerEnvironment extends Runtime, ErrorLog {
  readonly createPorts: CreatePorts;
  /** The keys that everything is derived from. Default: random ones of this process. */
  readonly keys?: KeyHierarchy | undefined;
  readonly logger: Logger;
  /** Absent if no SDK is registered. */
  readonly telemetry?: Telemetry | undefined;
}

/** Sessions and their accounts. */
export interface SessionParts {
  readonly keys: KeyHierarchy;
  readonly vault: Vault;
  readonly deadlines: Deadlines;
  readonly oneTime: OneTimeStore;
  readonly rates: Rates;
  readonly attempts: AttemptStore;
  readonly messages: Messages;
  /** Absent if sessions end with this process, so that no other one changes them. */
  readonly sessionMessages: SessionMessages | undefined;
  readonly events: SessionEvents;
  readonly disposal: Disposal;
  readonly registry: SessionRegistry;
  readonly due: DueSessions;
  /** The sessions of the users that access tokens name; absent in open access. */
  readonly owners: OwnerSessions | undefined;
  readonly refreshPolicy: RefreshPolicy;
  readonly refresher: TokenRefresher;
  readonly accounts: Accounts;
  readonly sessionsPerAccount: SessionsPerAccount;
  readonly rejections: TokenRejections;
  readonly sessionFetch: SessionFetch;
  readonly states: SessionStates;
  readonly providers: ReadonlyMap<string, Provider>;
  /** Whether sessions outlive this process. */
  readonly outlivesProcess: boolean;
  /** Counts the sessions in the memory of this process, by their state. */
  readonly countStored: Ports['countStored'];
  /** Absent if sessions end with this process. */
  readonly presenceVisits: PresenceVisits | undefined;
}

const REVOCATIONS_DROPPED =
  'Logins were not revoked, because 10,000 revocations wait for the provider: the tokens are wiped here, and stay valid at the provider until they expire. Find out why it answers so slowly.';

/** Composes sessions, their accounts, and what refreshes and revokes the tokens. */
export function composeSessions(settings: SessionsSettings, environment: ServerEnvironment): SessionParts {
  const { clock, random, fetch, createPorts, keys = new KeyHierarchy(random(32)) } = environment;
  const { logger, telemetry, onError } = environment;
  const { lifetimes, limits } = settings;
  const bearer = isBearer(settings.access) ? settings.access : undefined;
  const events = new SessionEvents(onError);
  const report: ProviderRuntime['report'] = (failure) => events.emit(providerFailed(failure));
  const providers = new Map(
    settings.providers.map((each) => [each.name, new Provider(each, { clock, fetch, onError, report })]),
  );
  const providerNamed = (name: string) => {
    const provider = providers.get(name);
    if (provider) return provider;
    throw unknownProvider(providers.keys());
  };

  const vault = new Vault(keys, random);
  const deadlines = new Deadlines(clock, onError);
  const ports = measuredPorts(
    telemetry,
    createPorts,
  )({
    clock,
    deadlines,
    isPresent: (ref) => isPresent(registry.presenceOf(ref)),
  });
  const { sessions, attempts, oneTime, rates, messages, outlivesProcess, failedOverAtMs, countStored } =
    ports;

  const { sendRefresh, revoke } = measuredRequests(telemetry, {
    sendRefresh: (name, refreshToken, beforeSend) => providerNamed(name).refresh(refreshToken, beforeSend),
    revoke: (name, tokens) => providerNamed(name).revoke(tokens),
  });
  const grantsInUse = new GrantsInUse({
    store: sessions,
    grantProviders: new Set(
      settings.providers.flatMap(({ name, revocation }) => (revocation === 'grant' ? [name] : [])),
    ),
    loginGrants: async () => loginGrantsOf(await attempts.pending()),
  });
  const dropped = new LogThrottle<string>(clock, (provider, logins) =>
    logger.warn({ event: 'revocation.dropped', provider, logins }, REVOCATIONS_DROPPED),
  );
  const disposal = new Disposal({
    vault,
    revokeTokens: revoke,
    events,
    mayRevoke: grantsInUse.mayRevoke,
    onDropped: (provider) => dropped.add(provider, provider),
  });
  const due = new DueSessions({ store: sessions, clock, onError });
  const sessionMessages = outlivesProcess ? new SessionMessages(messages) : undefined;
  const registry = new SessionRegistry({
    store: sessions,
    messages: sessionMessages,
    due,
    keys,
    random,
    clock,
    lifetimes,
    events,
    disposal,
    limits: {
      ...limits,
      // With bearer tokens, the limits of users apply.
      maxAnonymousSessions: bearer ? limits.maxSessions : limits.anonymousSessions,
    },
    onError,
  });
  const owners =
    bearer &&
    new OwnerSessions({
      keys,
      registry,
      random,
      hasSessionPerConnection: bearer.sessionPerConnection,
      onError,
    });

  const tokens = new AccountTokens(vault);
  const fraction = () => random(4).readUInt32BE(0) / 2 ** 32;
  const refreshPolicy = new RefreshPolicy({ clock, sendRefresh, fraction });
  const refresher = new TokenRefresher({
    registry,
    tokens,
    disposal,
    events,
    clock,
    refreshTokens: refreshPolicy.refresh,
    fraction,
    random,
    failedOverAtMs,
    onError,
  });
  const accounts = new Accounts({
    registry,
    tokens,
    refresher,
    disposal,
    grantsInUse,
    events,
    clock,
    fraction,
    random,
  });
  const sessionsPerAccount = new SessionsPerAccount({
    registry,
    maxSessions: limits.sessionsPerAccount,
    onError,
  });
  const refresh = refresher.refresh.bind(refresher);
  due.add(new RefreshScheduler({ clock, refresh }));
  due.add(new ExpiryNotices({ registry, events, lifetimes, onError }));
  due.start();
  const presenceVisits = outlivesProcess
    ? new PresenceVisits({ registry, clock, idleMs: lifetimes.idleMs, onError })
    : undefined;
  const states = new SessionStates({ registry, vault: new Vault(keys, random, 'session-state') });

  const rejections = new TokenRejections({ accounts, refresher, registry, clock });
  const sessionFetch = createSessionFetch({
    accounts,
    refresher,
    registry,
    rejections,
    apiOrigins: new Map(settings.providers.map(({ name, apiOrigins }) => [name, apiOrigins])),
    fetch,
  });
  return {
    keys,
    vault,
    deadlines,
    oneTime,
    rates,
    attempts,
    messages,
    sessionMessages,
    events,
    disposal,
    registry,
    due,
    owners,
    refreshPolicy,
    refresher,
    accounts,
    sessionsPerAccount,
    rejections,
    sessionFetch,
    states,
    providers,
    outlivesProcess,
    countStored,
    presenceVisits,
  };
}
