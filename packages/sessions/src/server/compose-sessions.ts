import { Accounts } from '../account/accounts.js';
import type { RefreshTokens } from '../account/refresh/granted-tokens.js';
import { RefreshPolicy, type RefreshPolicyOptions } from '../account/refresh/policy.js';
import { TokenRefresher, type TokenRefresherOptions } from '../account/refresh/refresher.js';
import { RefreshScheduler } from '../account/refresh/scheduler.js';
import type { Limits } from '../limits/limits.js';
import { AccountTokens } from '../session/account-tokens.js';
import { SessionsPerAccount } from '../session/capacity/sessions-per-account.js';
import { Disposal, type RevokeTokens } from '../session/disposal.js';
import { ExpiryNotices } from '../session/expiry-notices.js';
import type { Lifetimes } from '../session/lifetimes.js';
import { SessionEvents, type SessionListener } from '../session/session-events.js';
import { SessionRegistry } from '../session/session-registry.js';
import type { SessionStore } from '../session/session-store.js';
import type { Clock } from '../time/clock.js';
import { Deadlines } from '../time/deadlines.js';
import { KeyHierarchy } from '../vault/key-hierarchy.js';
import type { RandomSource } from '../vault/random.js';
import { Vault } from '../vault/vault.js';

export interface ComposeSessionsOptions<C extends Clock = Clock> {
  readonly clock: C;
  readonly random: RandomSource;
  readonly store: SessionStore;
  readonly lifetimes: Lifetimes;
  readonly maxSessions: number;
  /** The maximum number of sessions without a login. Default: `maxSessions`. */
  readonly maxAnonymousSessions?: number | undefined;
  readonly limits: Pick<Limits, 'anonymousSessionsPerAddress' | 'sessionsPerAccount'>;
  readonly onError: (error: unknown) => void;
  /** One request to a provider's token endpoint. */
  readonly askForTokens: RefreshPolicyOptions['ask'];
  readonly revokeTokens: RevokeTokens;
  /** Hears events before anybody else does. */
  readonly listeners?: (keys: KeyHierarchy) => readonly SessionListener[];
  /** Refresh only what a call asks for, and ask for it once. Default: ahead of time, with patience. */
  readonly isPassive?: boolean;
  readonly parts?: ComposeSessionsParts<C>;
}

/** Parts that a simulation replaces by its own. */
export interface ComposeSessionsParts<C extends Clock = Clock> {
  readonly createVault?: (keys: KeyHierarchy, random: RandomSource) => Vault;
  readonly createDeadlines?: (clock: C, onError: (error: unknown) => void) => Deadlines;
  /** What the registry is to those that use it. */
  readonly wrapRegistry?: (registry: SessionRegistry) => SessionRegistry;
  /** What replaces token sets by fresh ones. */
  readonly createRefreshes?: (options: TokenRefresherOptions) => TokenRefresher;
  /** What stands between accounts and their provider. */
  readonly wrapRefresh?: (refresh: RefreshTokens) => RefreshTokens;
}

/** Sessions and their accounts, put together; how clients reach them is somebody else's business. */
export interface ComposedSessions {
  readonly keys: KeyHierarchy;
  readonly vault: Vault;
  readonly deadlines: Deadlines;
  readonly events: SessionEvents;
  readonly disposal: Disposal;
  readonly registry: SessionRegistry;
  readonly tokens: AccountTokens;
  readonly refresher: TokenRefresher;
  readonly accounts: Accounts;
}

/** Puts sessions and accounts together. */
export function composeSessions<C extends Clock>(options: ComposeSessionsOptions<C>): ComposedSessions {
  const { clock, random, store, lifetimes, maxSessions, onError, parts = {}, isPassive = false } = options;
  const fraction = () => random(4).readUInt32BE(0) / 2 ** 32;
  const keys = new KeyHierarchy(random(32));
  const vault = parts.createVault?.(keys, random) ?? new Vault(keys, random);
  const deadlines = parts.createDeadlines?.(clock, onError) ?? new Deadlines(clock, onError);
  const events = new SessionEvents(onError);
  for (const listener of options.listeners?.(keys) ?? []) events.subscribe(listener);

  const disposal = new Disposal(vault, options.revokeTokens, events);
  const plainRegistry = new SessionRegistry({
    store,
    keys,
    random,
    clock,
    deadlines,
    lifetimes,
    events,
    disposal,
    maxSessions,
    maxAnonymousSessions: options.maxAnonymousSessions ?? maxSessions,
    anonymousSessionsPerAddress: options.limits.anonymousSessionsPerAddress,
    onError,
  });
  const registry = parts.wrapRegistry?.(plainRegistry) ?? plainRegistry;
  const tokens = new AccountTokens(vault);
  const ask = options.askForTokens;
  const plainRefresh = isPassive
    ? ask
    : new RefreshPolicy({ clock, events, ask, revoke: options.revokeTokens, fraction }).refresh;
  const refreshTokens = parts.wrapRefresh?.(plainRefresh) ?? plainRefresh;
  const refreshing = { registry, tokens, disposal, events, clock, refreshTokens, fraction };
  const refresher = parts.createRefreshes?.(refreshing) ?? new TokenRefresher(refreshing);
  new SessionsPerAccount({ registry, events, maxSessions: options.limits.sessionsPerAccount, onError });
  const accounts = new Accounts({ registry, tokens, refresher, disposal, events, clock, fraction });
  if (!isPassive) {
    const refresh = refresher.refresh.bind(refresher);
    new RefreshScheduler({ clock, deadlines, events, refresh });
    new ExpiryNotices({ registry, events, clock, deadlines, lifetimes });
  }
  return { keys, vault, deadlines, events, disposal, registry, tokens, refresher, accounts };
}
