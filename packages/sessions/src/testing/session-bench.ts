import { AccountTokens } from '../account/account-tokens.js';
import { Accounts, type SessionLease } from '../account/accounts.js';
import { Refreshes } from '../account/refreshes.js';
import { RefreshScheduler } from '../refresh/refresh-scheduler.js';
import { DEFAULT_LIFETIMES, type Lifetimes } from '../session/lifetimes.js';
import { Disposal } from '../session/revocation.js';
import { type SessionEvent, SessionEvents } from '../session/session-events.js';
import type { SessionKind, SessionRecord } from '../session/session-record.js';
import { SessionRegistry } from '../session/session-registry.js';
import type { SessionStore } from '../session/session-store.js';
import { MapSessionStore } from '../store/map-session-store.js';
import { Deadlines } from '../time/deadlines.js';
import { KeyHierarchy } from '../vault/key-hierarchy.js';
import { systemRandom } from '../vault/random.js';
import { Vault } from '../vault/vault.js';
import { ScriptedProvider } from './scripted-provider.js';
import { VirtualClock } from './virtual-clock.js';

export interface SessionBenchOptions {
  readonly lifetimes?: Partial<Lifetimes>;
  readonly maxSessions?: number;
  readonly store?: SessionStore;
  /** Refresh in the background. Default: only when a call asks for it. */
  readonly scheduler?: boolean;
}

/** Sessions and accounts put together as in a server, with time and provider in the hands of a test. */
export class SessionBench {
  readonly clock: VirtualClock = new VirtualClock();
  readonly provider: ScriptedProvider = new ScriptedProvider(this.clock);
  readonly events: SessionEvent[] = [];
  readonly errors: unknown[] = [];
  readonly registry: SessionRegistry;
  readonly accounts: Accounts;
  readonly refreshes: Refreshes;
  readonly disposal: Disposal;
  readonly deadlines: Deadlines;

  constructor({ lifetimes, maxSessions = 1000, store, scheduler = false }: SessionBenchOptions = {}) {
    const { clock, provider } = this;
    const onError = (error: unknown) => void this.errors.push(error);
    const keys = new KeyHierarchy(systemRandom(32));
    const vault = new Vault(keys, systemRandom);
    const events = new SessionEvents(onError);
    events.subscribe((event) => void this.events.push(event));
    const deadlines = new Deadlines(clock, onError);
    const disposal = new Disposal(vault, provider.revoke, events);
    const registry = new SessionRegistry({
      store: store ?? new MapSessionStore(),
      keys,
      random: systemRandom,
      clock,
      deadlines,
      lifetimes: { ...DEFAULT_LIFETIMES, ...lifetimes },
      events,
      disposal,
      maxSessions,
      onError,
    });
    const tokens = new AccountTokens(vault, systemRandom);
    const refreshTokens = provider.refresh;
    const refreshes = new Refreshes({ registry, tokens, disposal, events, refreshTokens });
    this.deadlines = deadlines;
    this.disposal = disposal;
    this.registry = registry;
    this.refreshes = refreshes;
    this.accounts = new Accounts({ registry, tokens, refreshes, disposal, events, clock });
    if (!scheduler) return;
    const refresh = refreshes.refresh.bind(refreshes);
    new RefreshScheduler({ clock, deadlines, events, refresh, maxConcurrent: 50, fraction: () => 0.5 });
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
