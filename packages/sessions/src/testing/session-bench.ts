import { AccountTokens } from '../account/account-tokens.js';
import { Accounts, type SessionLease } from '../account/accounts.js';
import type { RefreshTokens } from '../account/granted-tokens.js';
import { Refreshes } from '../account/refreshes.js';
import { RefreshScheduler } from '../refresh/refresh-scheduler.js';
import { DEFAULT_LIFETIMES, type Lifetimes } from '../session/lifetimes.js';
import { Disposal, type RevokeTokens } from '../session/revocation.js';
import { type SessionEvent, SessionEvents, type SessionListener } from '../session/session-events.js';
import type { SessionKind, SessionRecord } from '../session/session-record.js';
import { SessionRegistry } from '../session/session-registry.js';
import type { SessionStore } from '../session/session-store.js';
import { MapSessionStore } from '../store/map-session-store.js';
import { Deadlines } from '../time/deadlines.js';
import { KeyHierarchy } from '../vault/key-hierarchy.js';
import { type RandomSource, systemRandom } from '../vault/random.js';
import { Vault } from '../vault/vault.js';
import { ScriptedProvider } from './scripted-provider.js';
import { VirtualClock } from './virtual-clock.js';

/** Parts that a test replaces by its own. */
export interface SessionBenchParts {
  readonly createVault?: (keys: KeyHierarchy, random: RandomSource) => Vault;
  readonly createDeadlines?: (clock: VirtualClock, onError: (error: unknown) => void) => Deadlines;
  /** What the registry is to those that use it. */
  readonly wrapRegistry?: (registry: SessionRegistry) => SessionRegistry;
}

export interface SessionBenchOptions {
  readonly lifetimes?: Partial<Lifetimes>;
  readonly maxSessions?: number;
  readonly store?: SessionStore;
  readonly random?: RandomSource;
  readonly clock?: VirtualClock;
  readonly refreshTokens?: RefreshTokens;
  readonly revokeTokens?: RevokeTokens;
  /** Refresh in the background. Default: only when a call asks for it. */
  readonly scheduler?: boolean;
  readonly parts?: SessionBenchParts;
  /** Hears events as they happen. */
  readonly listener?: SessionListener;
}

/** Sessions and accounts put together as in a server, with time and provider in the hands of a test. */
export class SessionBench {
  readonly clock: VirtualClock;
  readonly provider: ScriptedProvider;
  readonly events: SessionEvent[] = [];
  readonly errors: unknown[] = [];
  readonly registry: SessionRegistry;
  readonly accounts: Accounts;
  readonly refreshes: Refreshes;
  readonly disposal: Disposal;
  readonly deadlines: Deadlines;
  readonly tokens: AccountTokens;

  constructor(options: SessionBenchOptions = {}) {
    const { random = systemRandom, clock = new VirtualClock(), parts = {} } = options;
    const provider = new ScriptedProvider(clock);
    const onError = (error: unknown) => void this.errors.push(error);
    const keys = new KeyHierarchy(random(32));
    const vault = parts.createVault?.(keys, random) ?? new Vault(keys, random);
    const events = new SessionEvents(onError);
    events.subscribe((event) => void this.events.push(event));
    if (options.listener) events.subscribe(options.listener);
    const deadlines = parts.createDeadlines?.(clock, onError) ?? new Deadlines(clock, onError);
    const disposal = new Disposal(vault, options.revokeTokens ?? provider.revoke, events);
    const plainRegistry = new SessionRegistry({
      store: options.store ?? new MapSessionStore(),
      keys,
      random,
      clock,
      deadlines,
      lifetimes: { ...DEFAULT_LIFETIMES, ...options.lifetimes },
      events,
      disposal,
      maxSessions: options.maxSessions ?? 1000,
      onError,
    });
    const registry = parts.wrapRegistry?.(plainRegistry) ?? plainRegistry;
    const tokens = new AccountTokens(vault, random);
    const refreshTokens = options.refreshTokens ?? provider.refresh;
    const refreshes = new Refreshes({ registry, tokens, disposal, events, refreshTokens });
    this.clock = clock;
    this.provider = provider;
    this.deadlines = deadlines;
    this.disposal = disposal;
    this.registry = registry;
    this.tokens = tokens;
    this.refreshes = refreshes;
    this.accounts = new Accounts({ registry, tokens, refreshes, disposal, events, clock });
    if (!options.scheduler) return;
    const refresh = refreshes.refresh.bind(refreshes);
    const fraction = () => random(4).readUInt32BE(0) / 2 ** 32;
    new RefreshScheduler({ clock, deadlines, events, refresh, maxConcurrent: 50, fraction });
  }

  /** A session in which `subject` is logged in. */
  async loggedIn(
    subject: string,
    kind: SessionKind = 'connection',
  ): Promise<{ id: string; record: SessionRecord; lease: SessionLease }> {
    const { id, record } = await this.registry.start(kind, 'holder');
    const lease = { ref: record.ref, epoch: record.epoch };
    await this.accounts.commitLogin(lease, 'idp', this.provider.grant(subject));
    return { id, record, lease };
  }

  /** The access token that a call in this session would carry now. */
  async accessToken(lease: SessionLease): Promise<string> {
    const { accessToken } = await this.accounts.accessToken(lease, 'idp');
    return accessToken.reveal();
  }

  /** The events of a type, so far. */
  eventsOf<T extends SessionEvent['type']>(type: T): Extract<SessionEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<SessionEvent, { type: T }> => event.type === type);
  }
}
