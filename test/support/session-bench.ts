import { Accounts } from '../../packages/sessions/src/account/accounts.js';
import type { RefreshTokens } from '../../packages/sessions/src/account/refresh/granted-tokens.js';
import {
  RefreshPolicy,
  type RefreshPolicyOptions,
} from '../../packages/sessions/src/account/refresh/policy.js';
import {
  TokenRefresher,
  type TokenRefresherOptions,
} from '../../packages/sessions/src/account/refresh/refresher.js';
import { RefreshScheduler } from '../../packages/sessions/src/account/refresh/scheduler.js';
import { DEFAULT_LIMITS, type Limits } from '../../packages/sessions/src/limits/limits.js';
import { loginGrantsOf } from '../../packages/sessions/src/login/attempt-record.js';
import { AccountTokens } from '../../packages/sessions/src/session/account-tokens.js';
import { SessionsPerAccount } from '../../packages/sessions/src/session/capacity/sessions-per-account.js';
import { Disposal, type MayRevoke, type RevokeTokens } from '../../packages/sessions/src/session/disposal.js';
import { DueSessions } from '../../packages/sessions/src/session/due-sessions.js';
import { ExpiryNotices } from '../../packages/sessions/src/session/expiry-notices.js';
import { GrantsInUse } from '../../packages/sessions/src/session/grants-in-use.js';
import { DEFAULT_LIFETIMES, type Lifetimes } from '../../packages/sessions/src/session/lifetimes.js';
import { isPresent } from '../../packages/sessions/src/session/presence.js';
import { PresenceVisits } from '../../packages/sessions/src/session/presence-visits.js';
import {
  type InternalEvent,
  type InternalListener,
  SessionEvents,
} from '../../packages/sessions/src/session/session-events.js';
import { SessionMessages } from '../../packages/sessions/src/session/session-messages.js';
import {
  type SessionKind,
  type SessionRecord,
  type SessionSnapshot,
  snapshotOf,
} from '../../packages/sessions/src/session/session-record.js';
import { SessionRegistry } from '../../packages/sessions/src/session/session-registry.js';
import type { SessionStore } from '../../packages/sessions/src/session/session-store.js';
import { type CreatePorts, createMapPorts, type Ports } from '../../packages/sessions/src/store/ports.js';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { Clock } from '../../packages/sessions/src/time/clock.js';
import { Deadlines } from '../../packages/sessions/src/time/deadlines.js';
import { KeyHierarchy } from '../../packages/sessions/src/vault/key-hierarchy.js';
import { type RandomSource, systemRandom } from '../../packages/sessions/src/vault/random.js';
import { Vault } from '../../packages/sessions/src/vault/vault.js';
import { allRefs } from './all-refs.js';
import { ScriptedProvider } from './scripted-provider.js';

/** Parts that a simulation replaces to inject a fault. */
export interface SessionBenchParts {
  readonly createVault?: (keys: KeyHierarchy, random: RandomSource) => Vault;
  /** Its result replaces what decides whether tokens may be revoked. */
  readonly wrapMayRevoke?: (mayRevoke: MayRevoke) => MayRevoke;
  /** Its result replaces the registry in every other part. */
  readonly wrapRegistry?: (registry: SessionRegistry) => SessionRegistry;
  readonly createRefreshes?: (options: TokenRefresherOptions) => TokenRefresher;
  /** Its result replaces the function that requests new tokens. */
  readonly wrapRefresh?: (refresh: RefreshTokens) => RefreshTokens;
}

export interface SessionBenchOptions {
  readonly lifetimes?: Partial<Lifetimes>;
  readonly maxSessions?: number;
  readonly maxAnonymousSessions?: number;
  readonly limits?: Partial<Limits>;
  /** Default: the stores of this process. */
  readonly createPorts?: CreatePorts;
  readonly random?: RandomSource;
  readonly clock?: VirtualClock;
  /** Default: the same as `clock`. */
  readonly nodeClock?: Clock;
  /** Those of all nodes that share sessions. Default: new ones. */
  readonly keys?: KeyHierarchy;
  readonly refreshTokens?: RefreshPolicyOptions['sendRefresh'];
  readonly revokeTokens?: RevokeTokens;
  /** Providers that keep one grant for each user. Default: none. */
  readonly grantProviders?: readonly string[];
  /**
   * Whether tokens are refreshed ahead of time, with retries and a breaker. Default: one request, when a call needs it.
   */
  readonly scheduler?: boolean;
  /** Whether it tells other nodes of its changes, and follows theirs. Default: false. */
  readonly followsOthers?: boolean;
  readonly parts?: SessionBenchParts;
  readonly listener?: InternalListener;
}

/**
 * Sessions and accounts, composed of the classes that a server is composed of, with a clock and a provider that a test
 * controls.
 */
export class SessionBench {
  readonly clock: VirtualClock;
  readonly provider: ScriptedProvider;
  readonly events: InternalEvent[] = [];
  readonly sessionEvents: SessionEvents;
  readonly keys: KeyHierarchy;
  readonly errors: unknown[] = [];
  /** The providers of the revocations that were dropped. */
  readonly droppedRevocations: string[] = [];
  readonly ports: Ports;
  readonly store: SessionStore;
  readonly registry: SessionRegistry;
  readonly accounts: Accounts;
  readonly refresher: TokenRefresher;
  readonly disposal: Disposal;
  readonly grantsInUse: GrantsInUse;
  readonly deadlines: Deadlines;
  readonly tokens: AccountTokens;

  constructor(options: SessionBenchOptions = {}) {
    const { random = systemRandom, maxSessions = 1000, parts = {} } = options;
    const lifetimes = { ...DEFAULT_LIFETIMES, ...options.lifetimes };
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const onError = (error: unknown) => void this.errors.push(error);
    const onDropped = (provider: string) => void this.droppedRevocations.push(provider);
    const fraction = () => random(4).readUInt32BE(0) / 2 ** 32;
    this.clock = options.clock ?? new VirtualClock();
    const { nodeClock: clock = this.clock } = options;
    this.provider = new ScriptedProvider(clock);
    const {
      refreshTokens: sendRefresh = this.provider.refresh,
      revokeTokens: revoke = this.provider.revoke,
    } = options;

    this.keys = options.keys ?? new KeyHierarchy(random(32));
    const vault = parts.createVault?.(this.keys, random) ?? new Vault(this.keys, random);
    this.deadlines = new Deadlines(clock, onError);
    const events = new SessionEvents(onError);
    this.sessionEvents = events;
    events.subscribe((event) => void this.events.push(event));
    if (options.listener) events.subscribe(options.listener);

    const { keys, deadlines } = this;
    const { createPorts = createMapPorts } = options;
    const ports = createPorts({
      clock,
      deadlines,
      isPresent: (ref) => isPresent(this.registry.presenceOf(ref)),
    });
    this.ports = ports;
    this.store = ports.sessions;
    this.grantsInUse = new GrantsInUse({
      store: this.store,
      grantProviders: new Set(options.grantProviders),
      loginGrants: async () => loginGrantsOf(await ports.attempts.pending()),
    });
    const plainMayRevoke = this.grantsInUse.mayRevoke;
    const mayRevoke = parts.wrapMayRevoke?.(plainMayRevoke) ?? plainMayRevoke;
    this.disposal = new Disposal({ vault, revokeTokens: revoke, events, mayRevoke, onDropped });
    const { disposal, grantsInUse } = this;
    const due = new DueSessions({ store: this.store, clock, onError });
    const plainRegistry = new SessionRegistry({
      store: this.store,
      messages: options.followsOthers ? new SessionMessages(ports.messages) : undefined,
      due,
      keys,
      random,
      clock,
      lifetimes,
      events,
      disposal,
      limits: {
        ...limits,
        maxSessions,
        maxAnonymousSessions: options.maxAnonymousSessions ?? maxSessions,
      },
      onError,
    });
    this.registry = parts.wrapRegistry?.(plainRegistry) ?? plainRegistry;
    this.tokens = new AccountTokens(vault);
    const { registry, tokens } = this;
    if (options.followsOthers) new PresenceVisits({ registry, clock, idleMs: lifetimes.idleMs, onError });
    const policy = options.scheduler ? new RefreshPolicy({ clock, sendRefresh, fraction }) : undefined;
    if (policy) events.subscribe((event) => policy.handleEvent(event));
    const plainRefresh: RefreshTokens =
      policy?.refresh ??
      ((provider, refreshToken, { beforeSend }) => sendRefresh(provider, refreshToken, beforeSend));
    const refreshTokens = parts.wrapRefresh?.(plainRefresh) ?? plainRefresh;
    const refreshing = {
      registry,
      tokens,
      disposal,
      events,
      clock,
      refreshTokens,
      fraction,
      random,
      failedOverAtMs: ports.failedOverAtMs,
      wallNow: () => clock.now(),
      onError,
    };
    this.refresher = parts.createRefreshes?.(refreshing) ?? new TokenRefresher(refreshing);
    const { refresher } = this;
    this.accounts = new Accounts({
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
    events.subscribe((event) => sessionsPerAccount.handleEvent(event));
    const refresh = refresher.refresh.bind(refresher);
    if (options.scheduler) {
      due.add(new RefreshScheduler({ clock, refresh }));
      due.add(new ExpiryNotices({ registry, events, lifetimes, onError }));
    }
    due.start();
  }

  /** Starts a session and logs `subject` in. */
  async loggedIn(
    subject: string,
    kind: SessionKind = 'connection',
  ): Promise<{ id: string; record: SessionRecord; snapshot: SessionSnapshot }> {
    const { id, record } = await this.registry.start(kind, 'anonymous');
    const snapshot = snapshotOf(record);
    await this.accounts.commitLogin(snapshot, 'idp', this.provider.grant(subject));
    return { id, record, snapshot };
  }

  /** The access token that a call of this session sends now. */
  async accessToken(snapshot: SessionSnapshot): Promise<string> {
    const { accessToken } = await this.accounts.accessToken(snapshot, 'idp');
    return accessToken.reveal();
  }

  /** The number of sessions in the store. */
  async sessionCount(): Promise<number> {
    return (await allRefs(this.store)).length;
  }

  /** The events of one type so far. */
  eventsOf<T extends InternalEvent['type']>(type: T): Extract<InternalEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<InternalEvent, { type: T }> => event.type === type);
  }
}
