import { SessionError } from '../errors.js';
import type { SessionId, SessionRef } from '../session/ids.js';
import { type Disposal, type RevocationReport, sealContextOf } from '../session/revocation.js';
import type { SessionEvents } from '../session/session-events.js';
import type { AccountRecord, AccountTrouble, SessionRecord } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';
import type { Secret } from '../vault/secret.js';
import { decodeTokenSet, encodeTokenSet, type TokenSet, wipeTokenSet } from '../vault/token-set.js';
import type { Vault } from '../vault/vault.js';
import type { GrantedTokens, RefreshTokens } from './granted-tokens.js';
import { type TokenTimes, tokenTimes } from './refresh-window.js';

export interface AccountsOptions {
  readonly registry: SessionRegistry;
  readonly vault: Vault;
  readonly disposal: Disposal;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly refreshTokens: RefreshTokens;
}

/** A session as somebody was given it: void once the session is signed out. */
export interface SessionLease {
  readonly ref: SessionRef;
  readonly epoch: number;
}

/** An access token and the token set it is from. */
export interface FreshAccessToken {
  readonly accessToken: Secret;
  readonly generation: number;
}

interface AccountInSession {
  readonly record: SessionRecord;
  readonly account: AccountRecord;
}

/** Closer to its end than this, a token may die on its way to the API. */
const EXPIRY_MARGIN_MS = 1000;
/** How often a token set may be replaced under the hands of one reader before it gives up. */
const READ_TRIES = 5;

/** The accounts of all sessions: takes in what providers grant, and hands out access tokens that are fresh. */
export class Accounts {
  readonly #options: AccountsOptions;
  readonly #refreshes = new Map<string, Promise<void>>();

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  /**
   * Takes in the tokens of a login. They replace an older account at the same provider, whose tokens are
   * revoked. If the session was signed out or has ended since the login began, the new ones are revoked.
   * @returns whether they were taken in.
   */
  async commitLogin(lease: SessionLease, provider: string, granted: GrantedTokens): Promise<boolean> {
    const { registry, events, disposal, clock } = this.#options;
    const { identity } = granted;
    if (!identity) throw new Error('A login without an identity cannot be committed.');
    const changed = await registry.update(lease.ref, (record) => {
      if (record.epoch !== lease.epoch) return undefined;
      const account: Omit<AccountRecord, 'sealed' | keyof TokenTimes> = {
        provider,
        state: 'authenticated',
        generation: record.generation + 1,
        subject: identity.subject,
        name: identity.name,
        scopes: granted.scopes ?? [],
        hasRefreshToken: granted.tokens.refreshToken !== undefined,
      };
      return {
        ...this.#sealInto(record, account, granted, granted.tokens),
        signedInAtMs: record.signedInAtMs ?? clock.now(),
        signedOut: undefined,
      };
    });
    if (!changed) {
      void disposal.revoke(lease, provider, granted.tokens);
      return false;
    }
    wipeTokenSet(granted.tokens);
    const replaced = changed.before.accounts[provider];
    if (replaced) void disposal.dispose(changed.before, [replaced]);
    const account = changed.after.accounts[provider];
    if (account) {
      const { generation, refreshAtMs } = account;
      events.emit({ type: 'account.authenticated', ref: lease.ref, provider, generation, refreshAtMs });
    }
    return true;
  }

  /**
   * The access token of an account, refreshed first if it has run out. One that is only about to run out
   * is handed out while its refresh goes on. The secret is the caller's: wipe it after use.
   * @throws SessionError `login_required`, `reauthentication_required`, `provider_unavailable`, `signed_out`
   */
  async accessToken(lease: SessionLease, provider: string): Promise<FreshAccessToken> {
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const found = await this.#find(lease, provider);
      const { expiresAtMs, refreshAtMs, hasRefreshToken, generation } = found.account;
      const now = this.#options.clock.now();
      if (hasRefreshToken && refreshAtMs !== undefined && now >= refreshAtMs) {
        const refresh = this.refresh(lease.ref, provider, generation);
        if (expiresAtMs !== undefined && now >= expiresAtMs - EXPIRY_MARGIN_MS) {
          await refresh;
          continue;
        }
        // The scheduler hears of the failure; this caller has a token that is still good.
        refresh.catch(() => undefined);
      } else if (expiresAtMs !== undefined && now >= expiresAtMs) {
        await this.#giveUp(found.record, found.account, 'no_refresh_token');
        continue;
      }
      const tokens = this.#open(found);
      if (!tokens) continue;
      tokens.refreshToken?.wipe();
      return { accessToken: tokens.accessToken, generation };
    }
    throw new SessionError(
      'provider_unavailable',
      'The access token could not be renewed in time. Try again.',
      {
        retryAfterSeconds: 1,
      },
    );
  }

  /**
   * Replaces the token set of `generation` by a fresh one, once, however many ask for it at the same time.
   * Does nothing when it has been replaced already.
   * @throws SessionError `reauthentication_required`, `provider_unavailable`
   */
  refresh(ref: SessionRef, provider: string, generation: number): Promise<void> {
    const key = `${ref} ${provider}`;
    const running = this.#refreshes.get(key);
    if (running) return running;
    const refresh = this.#refresh(ref, provider, generation).finally(() => this.#refreshes.delete(key));
    this.#refreshes.set(key, refresh);
    return refresh;
  }

  /** Logs a session out of one provider; out of its last one is a sign-out. */
  async remove(ref: SessionRef, provider: string): Promise<RevocationReport[]> {
    const { registry, disposal } = this.#options;
    const changed = await registry.update(ref, ({ accounts }) => {
      const { [provider]: removed, ...rest } = accounts;
      return removed && Object.keys(rest).length > 0 ? { accounts: rest } : undefined;
    });
    const removed = changed?.before.accounts[provider];
    if (changed && removed) return disposal.dispose(changed.before, [removed]);
    const record = await registry.get(ref);
    if (!record?.accounts[provider]) return [];
    const { revoked } = await registry.signOut(ref, 'logout');
    return revoked;
  }

  /**
   * Turns a pending handle into a session handle: its accounts are sealed again under the new session, and
   * the pending handle is unknown from then on.
   * @returns the new session, or `undefined` when the pending one is gone.
   */
  async promote(pending: SessionRecord): Promise<{ id: SessionId; record: SessionRecord } | undefined> {
    const { registry, disposal, events, clock } = this.#options;
    const running = Object.keys(pending.accounts).map((name) =>
      this.#refreshes.get(`${pending.ref} ${name}`),
    );
    await Promise.allSettled(running);
    const retired = await registry.retire(pending.ref);
    if (!retired) return undefined;
    const started = await registry.start('handle', retired.owner).catch((error: unknown) => {
      void disposal.dispose(retired, Object.values(retired.accounts));
      throw error;
    });
    const changed = await registry.update(started.record.ref, (record) => ({
      signedInAtMs: retired.signedInAtMs ?? clock.now(),
      generation: retired.generation,
      accounts: this.#sealAgain(retired, record),
    }));
    const record = changed?.after ?? started.record;
    for (const account of Object.values(record.accounts)) {
      const { provider, generation, refreshAtMs } = account;
      events.emit({ type: 'account.moved', ref: record.ref, provider, generation, refreshAtMs });
    }
    return { id: started.id, record };
  }

  /** Whether a refresh of this account is under way. */
  isRefreshing(ref: SessionRef, provider: string): boolean {
    return this.#refreshes.has(`${ref} ${provider}`);
  }

  /** Waits for every refresh that is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#refreshes.values());
  }

  async #refresh(ref: SessionRef, provider: string, generation: number): Promise<void> {
    const record = await this.#options.registry.get(ref);
    const account = record?.accounts[provider];
    if (!record || account?.generation !== generation || account.state !== 'authenticated') return;
    const held = this.#open({ record, account });
    if (!held?.refreshToken) return;
    held.accessToken.wipe();
    const { refreshToken } = held;
    try {
      const outcome = await this.#options.refreshTokens(provider, refreshToken);
      switch (outcome.kind) {
        case 'granted':
          await this.#commitRefresh(record, account, outcome.granted, refreshToken);
          return;
        case 'grant_revoked':
          await this.#giveUp(record, account, 'grant_revoked');
          throw reauthenticationRequired(provider);
        case 'lost':
          await this.#giveUp(record, account, 'refresh_lost');
          throw reauthenticationRequired(provider, outcome.cause);
        case 'unavailable':
          await this.#noteTrouble(ref, account, 'provider_unavailable');
          throw providerUnavailable(provider, outcome.retryAfterSeconds, outcome.cause);
      }
    } finally {
      refreshToken.wipe();
    }
  }

  /** The generation is the fence: whoever comes second finds it moved on, and has its tokens revoked. */
  async #commitRefresh(
    started: SessionRecord,
    account: AccountRecord,
    granted: GrantedTokens,
    previousRefreshToken: Secret,
  ): Promise<void> {
    const { registry, events, disposal, vault } = this.#options;
    const { provider } = account;
    const tokens = { ...granted.tokens, refreshToken: granted.tokens.refreshToken ?? previousRefreshToken };
    const changed = await registry.update(started.ref, (record) => {
      const current = record.accounts[provider];
      if (current?.generation !== account.generation || current.state !== 'authenticated') return undefined;
      const renewed = {
        ...current,
        trouble: undefined,
        generation: record.generation + 1,
        scopes: granted.scopes ?? current.scopes,
      };
      return this.#sealInto(record, renewed, granted, tokens, current.lifetimeMs);
    });
    if (!changed) {
      await disposal.revoke(started, provider, tokens);
      return;
    }
    wipeTokenSet(tokens);
    const old = changed.before.accounts[provider]?.sealed;
    if (old) vault.wipe(old);
    const renewed = changed.after.accounts[provider];
    if (!renewed) return;
    const { generation, refreshAtMs } = renewed;
    events.emit({ type: 'account.refreshed', ref: started.ref, provider, generation, refreshAtMs });
  }

  #sealInto(
    record: SessionRecord,
    account: Omit<AccountRecord, 'sealed' | keyof TokenTimes>,
    granted: GrantedTokens,
    tokens: TokenSet,
    previousLifetimeMs?: number,
  ): Pick<SessionRecord, 'accounts' | 'generation'> {
    const sealed = this.#options.vault.seal(encodeTokenSet(tokens), sealContextOf(record, account));
    const fraction = this.#options.random(4).readUInt32BE(0) / 2 ** 32;
    const times = tokenTimes(granted, previousLifetimeMs, account.hasRefreshToken, fraction);
    const complete: AccountRecord = { ...account, ...times, sealed };
    return {
      generation: account.generation,
      accounts: { ...record.accounts, [account.provider]: complete },
    };
  }

  #sealAgain(from: SessionRecord, to: SessionRecord): Record<string, AccountRecord> {
    const accounts: Record<string, AccountRecord> = {};
    for (const [provider, account] of Object.entries(from.accounts)) {
      const tokens = this.#open({ record: from, account });
      if (!tokens) continue;
      const sealed = this.#options.vault.seal(encodeTokenSet(tokens), sealContextOf(to, account));
      wipeTokenSet(tokens);
      if (account.sealed) this.#options.vault.wipe(account.sealed);
      accounts[provider] = { ...account, sealed };
    }
    return accounts;
  }

  async #find(lease: SessionLease, provider: string): Promise<AccountInSession> {
    const record = await this.#options.registry.get(lease.ref);
    if (!record || record.epoch !== lease.epoch) {
      throw new SessionError(
        'signed_out',
        'This session was signed out. Call the `login` tool to log in again.',
      );
    }
    const account = record.accounts[provider];
    if (!account) throw loginRequired();
    if (account.state === 'reauthentication_required') throw reauthenticationRequired(provider);
    return { record, account };
  }

  /** Opens an account's tokens; `undefined` if they were wiped or replaced since the record was read. */
  #open({ record, account }: AccountInSession): TokenSet | undefined {
    if (!account.sealed) return undefined;
    try {
      return decodeTokenSet(this.#options.vault.open(account.sealed, sealContextOf(record, account)));
    } catch (error) {
      if (error instanceof SessionError && error.code === 'sealed_record_invalid') return undefined;
      throw error;
    }
  }

  /** Wipes an account that only a new login can revive. */
  async #giveUp(record: SessionRecord, account: AccountRecord, trouble: AccountTrouble): Promise<void> {
    const { provider, generation } = account;
    const changed = await this.#changeAccount(record.ref, account, {
      state: 'reauthentication_required',
      trouble,
      sealed: undefined,
      hasRefreshToken: false,
      expiresAtMs: undefined,
      refreshAtMs: undefined,
    });
    const wiped = changed?.before.accounts[provider];
    if (!changed || wiped?.generation !== generation) return;
    if (wiped.sealed) this.#options.vault.wipe(wiped.sealed);
    const event = { type: 'account.reauthentication_required', ref: record.ref, provider, trouble } as const;
    this.#options.events.emit(event);
  }

  async #noteTrouble(ref: SessionRef, account: AccountRecord, trouble: AccountTrouble): Promise<void> {
    await this.#changeAccount(ref, account, { trouble });
    const { provider } = account;
    this.#options.events.emit({ type: 'account.refresh_failed', ref, provider, trouble });
  }

  #changeAccount(
    ref: SessionRef,
    account: AccountRecord,
    fields: Partial<AccountRecord>,
  ): ReturnType<SessionRegistry['update']> {
    return this.#options.registry.update(ref, (record) => {
      const current = record.accounts[account.provider];
      if (current?.generation !== account.generation) return undefined;
      return { accounts: { ...record.accounts, [account.provider]: { ...current, ...fields } } };
    });
  }
}

/** Nobody is logged in; what a model reads then. */
function loginRequired(): SessionError {
  return new SessionError(
    'login_required',
    'Nobody is logged in here yet. Call the `login` tool, then repeat this call.',
  );
}

/** A 2026 request that names no session: the model has none yet, or left it out. */
export function sessionRequired(): SessionError {
  return new SessionError(
    'login_required',
    'This call names no session. Pass the `session` that `login` returned; if you have none, call `login` first.',
  );
}

function reauthenticationRequired(provider: string, cause?: unknown): SessionError {
  return new SessionError(
    'reauthentication_required',
    `The login at "${provider}" has expired or was revoked. Call the \`login\` tool to log in again.`,
    { cause },
  );
}

function providerUnavailable(
  provider: string,
  retryAfterSeconds: number | undefined,
  cause: unknown,
): SessionError {
  return new SessionError(
    'provider_unavailable',
    `The access token has run out and "${provider}" cannot be reached to renew it. The login is kept; try again in ${retryAfterSeconds ?? 10} seconds.`,
    { retryAfterSeconds: retryAfterSeconds ?? 10, cause },
  );
}
