import type { Accounts } from '../account/accounts.js';
import type { TokenRefresher } from '../account/refresh/refresher.js';
import { DEFAULT_LIMITS, type Limits } from '../limits/limits.js';
import {
  type ComposeSessionsOptions,
  type ComposeSessionsParts,
  composeSessions,
} from '../server/compose-sessions.js';
import type { AccountTokens } from '../session/account-tokens.js';
import type { Disposal, RevokeTokens } from '../session/disposal.js';
import { DEFAULT_LIFETIMES, type Lifetimes } from '../session/lifetimes.js';
import type { SessionEvent, SessionEvents, SessionListener } from '../session/session-events.js';
import {
  type SessionKind,
  type SessionRecord,
  type SessionSnapshot,
  snapshotOf,
} from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { SessionStore } from '../session/session-store.js';
import { MapSessionStore } from '../store/map-session-store.js';
import type { Deadlines } from '../time/deadlines.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { type RandomSource, systemRandom } from '../vault/random.js';
import { ScriptedProvider } from './scripted-provider.js';
import { VirtualClock } from './virtual-clock.js';

/** Parts that a test replaces by its own. */
export type SessionBenchParts = ComposeSessionsParts<VirtualClock>;

export interface SessionBenchOptions {
  readonly lifetimes?: Partial<Lifetimes>;
  readonly maxSessions?: number;
  readonly maxAnonymousSessions?: number;
  readonly limits?: Partial<Limits>;
  readonly store?: SessionStore;
  readonly random?: RandomSource;
  readonly clock?: VirtualClock;
  readonly refreshTokens?: ComposeSessionsOptions['askForTokens'];
  readonly revokeTokens?: RevokeTokens;
  /** Refresh in the background, with tries and a breaker. Default: only when a call asks for it, and once. */
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
  /** What they come from. */
  readonly sessionEvents: SessionEvents;
  readonly keys: KeyHierarchy;
  readonly errors: unknown[] = [];
  readonly registry: SessionRegistry;
  readonly accounts: Accounts;
  readonly refresher: TokenRefresher;
  readonly disposal: Disposal;
  readonly deadlines: Deadlines;
  readonly tokens: AccountTokens;

  constructor(options: SessionBenchOptions = {}) {
    const { random = systemRandom, clock = new VirtualClock() } = options;
    this.clock = clock;
    this.provider = new ScriptedProvider(clock);
    const listeners: SessionListener[] = [(event) => void this.events.push(event)];
    if (options.listener) listeners.push(options.listener);
    const { keys, events, deadlines, disposal, registry, tokens, refresher, accounts } = composeSessions({
      clock,
      random,
      store: options.store ?? new MapSessionStore(),
      lifetimes: { ...DEFAULT_LIFETIMES, ...options.lifetimes },
      maxSessions: options.maxSessions ?? 1000,
      maxAnonymousSessions: options.maxAnonymousSessions,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      onError: (error) => void this.errors.push(error),
      askForTokens: options.refreshTokens ?? this.provider.refresh,
      revokeTokens: options.revokeTokens ?? this.provider.revoke,
      listeners: () => listeners,
      isPassive: options.scheduler !== true,
      ...(options.parts && { parts: options.parts }),
    });
    this.keys = keys;
    this.sessionEvents = events;
    this.deadlines = deadlines;
    this.disposal = disposal;
    this.registry = registry;
    this.tokens = tokens;
    this.refresher = refresher;
    this.accounts = accounts;
  }

  /** A session in which `subject` is logged in. */
  async loggedIn(
    subject: string,
    kind: SessionKind = 'connection',
  ): Promise<{ id: string; record: SessionRecord; snapshot: SessionSnapshot }> {
    const { id, record } = await this.registry.start(kind, 'anonymous');
    const snapshot = snapshotOf(record);
    await this.accounts.commitLogin(snapshot, 'idp', this.provider.grant(subject));
    return { id, record, snapshot };
  }

  /** The access token that a call in this session would carry now. */
  async accessToken(snapshot: SessionSnapshot): Promise<string> {
    const { accessToken } = await this.accounts.accessToken(snapshot, 'idp');
    return accessToken.reveal();
  }

  /** The events of a type, so far. */
  eventsOf<T extends SessionEvent['type']>(type: T): Extract<SessionEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<SessionEvent, { type: T }> => event.type === type);
  }
}
