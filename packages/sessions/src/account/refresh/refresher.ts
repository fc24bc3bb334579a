import { SessionError } from '../../errors.js';
import { notRenewed, oauthErrorOf, reauthenticationRequired } from '../../session/account-errors.js';
import type { AccountTokens } from '../../session/account-tokens.js';
import type { Disposal } from '../../session/disposal.js';
import type { SessionRef } from '../../session/ids.js';
import { failureIn } from '../../session/provider-failures.js';
import type { SessionEvents } from '../../session/session-events.js';
import {
  type AccountFailureReason,
  type AccountRecord,
  type SessionRecord,
  snapshotOf,
} from '../../session/session-record.js';
import type { ChangedSession, SessionChange } from '../../session/session-records.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import type { Clock } from '../../time/clock.js';
import type { RandomSource } from '../../vault/random.js';
import type { Secret } from '../../vault/secret.js';
import { type TokenSet, wipeTokenSet } from '../../vault/token-set.js';
import { backoffMs } from './backoff.js';
import type { GrantedTokens, PostponedRefresh, RefreshGuard, RefreshTokens } from './granted-tokens.js';
import { type Claimed, RefreshClaim } from './refresh-claim.js';
import { isOtherUser, nonconformancesOf, refreshedAccount } from './refreshed-account.js';

export interface TokenRefresherOptions {
  readonly registry: SessionRegistry;
  readonly tokens: AccountTokens;
  readonly disposal: Disposal;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly refreshTokens: RefreshTokens;
  /** A random number from 0 to 1, for jitter. */
  readonly fraction: () => number;
  readonly random: RandomSource;
  /** As that of `Ports`. */
  readonly failedOverAtMs?: (() => number) | undefined;
  /** Milliseconds on a clock that continues while the machine is suspended. Default: that of the system. */
  readonly wallNow?: (() => number) | undefined;
  /** Called with the errors of the store that no caller waits for. */
  readonly onError: (error: unknown) => void;
}

/** The time between two reads of an account that another refresh has claimed. */
const HELD_PAUSE_MS = 250;
/** How long a refresh waits for another one. */
const MAX_HELD_MS = 30_000;

/**
 * Refreshes token sets. Each account has one refresh at a time. Its tokens are committed only if the account still has
 * the generation that the refresh started from, else they are revoked.
 */
export class TokenRefresher {
  readonly #options: TokenRefresherOptions;
  readonly #running = new Map<string, Promise<void>>();

  constructor(options: TokenRefresherOptions) {
    this.#options = options;
  }

  /**
   * Refreshes the token set of `generation`. Concurrent calls share one refresh. Does nothing if the token set has been
   * replaced. Without a refresh token it emits `account.expires_soon`, and ends the account when the token has expired.
   * @throws SessionError `reauthentication_required`, `provider_unavailable`, `provider_refused`
   */
  refresh(ref: SessionRef, provider: string, generation: number): Promise<void> {
    return this.#shared(ref, { provider, generation });
  }

  /**
   * Refreshes the token set of `generation`, whose access token an API has rejected. If the provider rejects the
   * refresh, too, the account has no valid access token until a later one succeeds. Without a refresh token it needs a
   * new login.
   * @throws SessionError as `refresh`
   */
  async replaceRefused(ref: SessionRef, provider: string, generation: number): Promise<void> {
    const rejected = { provider, generation, tokenRejected: true } as const;
    const record = await this.#options.registry.get(ref);
    const account = record?.accounts[provider];
    const isCurrent = account?.generation === generation && account.state === 'authenticated';
    if (!record || !isCurrent) return this.#shared(ref, rejected);
    if (!account.hasRefreshToken) {
      await this.giveUp(record, account, 'no_refresh_token');
      throw reauthenticationRequired(provider);
    }
    try {
      this.#assertNotPostponed(account);
      await this.#shared(ref, rejected);
    } catch (error) {
      // During an outage the token may be valid: some APIs answer 401 for other reasons, too.
      if (error instanceof SessionError && error.code === 'provider_refused') await this.expire(ref, account);
      throw error;
    }
  }

  #shared(ref: SessionRef, started: StartedRefresh): Promise<void> {
    const key = `${ref} ${started.provider} ${started.generation}`;
    const running = this.#running.get(key);
    if (running) return running;
    const refresh = this.#refresh(ref, started).finally(() => this.#running.delete(key));
    this.#running.set(key, refresh);
    return refresh;
  }

  /** Waits for the refreshes in flight. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  /**
   * Wipes an account that needs a new login, and revokes its tokens.
   * @param cause the error of the refresh, if that is why
   */
  async giveUp(
    record: SessionRecord,
    account: AccountRecord,
    failureReason: AccountFailureReason,
    cause?: unknown,
  ): Promise<void> {
    const { provider } = account;
    const reason = failureIn(cause)?.reason;
    const lostAccount = {
      state: 'reauthentication_required',
      failureReason,
      failures: undefined,
      claim: undefined,
      sealed: undefined,
      hasRefreshToken: false,
      expiresAtMs: undefined,
      refreshAtMs: undefined,
      refreshExpiresAtMs: undefined,
    } as const;
    // The state may be that of the user who has logged out, as at a logout here.
    const isLogout = failureReason === 'provider_logout';
    const changed = await this.#change(
      record.ref,
      account,
      lostAccount,
      isLogout ? { state: undefined } : {},
    );
    if (!changed) return;
    if (isLogout) this.#options.disposal.wipeState(changed.before);
    const lost = changed.before.accounts[provider];
    if (lost) void this.#options.disposal.dispose(changed.before, [lost]);
    const event = {
      type: 'account.reauthentication_required',
      ...snapshotOf(record),
      provider,
      subject: account.subject,
      failureReason,
      ...(reason && { reason }),
    } as const;
    this.#options.events.emit(event);
  }

  async #refresh(ref: SessionRef, started: StartedRefresh): Promise<void> {
    const { provider, generation } = started;
    const record = await this.#options.registry.get(ref);
    const account = record?.accounts[provider];
    if (!record || account?.generation !== generation || account.state !== 'authenticated') return;
    // Its tokens move to the session handle soon, and no tool uses them before.
    if (record.kind === 'pending-handle') return;
    if (!account.hasRefreshToken) return this.#runOut(record, account);
    const held = this.#options.tokens.open(record, account);
    held?.accessToken.wipe();
    if (!held) return this.#dropUnreadable(ref, account);
    if (!held.refreshToken) return;
    try {
      await this.#renew(record, { ...account, tokenRejected: started.tokenRejected }, held.refreshToken);
    } finally {
      held.refreshToken.wipe();
    }
  }

  /** Calls do not retry a failed refresh before its scheduled time. */
  #assertNotPostponed({ provider, failureReason, failures, refreshAtMs }: AccountRecord): void {
    const waitMs = (refreshAtMs ?? 0) - this.#options.clock.now();
    if (failures === undefined || waitMs <= 0) return;
    throw notRenewed(
      provider,
      failureReason === 'provider_refused' ? failureReason : 'provider_unavailable',
      waitMs / 1000,
    );
  }

  /** Handles tokens that do not open. They were wiped since the read, which the next read shows, or are damaged. */
  async #dropUnreadable(ref: SessionRef, { provider, generation }: AccountRecord): Promise<void> {
    const record = await this.#options.registry.get(ref);
    const account = record?.accounts[provider];
    if (!record || account?.generation !== generation || account.state !== 'authenticated') return;
    const held = this.#options.tokens.open(record, account);
    if (held) return wipeTokenSet(held);
    await this.giveUp(record, account, 'tokens_unreadable');
    throw reauthenticationRequired(provider);
  }

  async #runOut(record: SessionRecord, account: AccountRecord): Promise<void> {
    const { clock, events } = this.#options;
    const { provider, subject, generation, expiresAtMs } = account;
    if (expiresAtMs === undefined) return;
    if (clock.now() >= expiresAtMs) return this.giveUp(record, account, 'no_refresh_token');
    if (account.isExpiryAnnounced) return;
    // The event follows the change, so that one process emits it.
    const announced = await this.#change(record.ref, account, { isExpiryAnnounced: true });
    if (!announced || announced.before.accounts[provider]?.isExpiryAnnounced) return;
    const expiring = { provider, subject, generation, expiresAtMs };
    events.emit({ type: 'account.expires_soon', ...snapshotOf(record), ...expiring });
  }

  async #renew(record: SessionRecord, account: AccountRecord, refreshToken: Secret): Promise<void> {
    const { clock, refreshTokens, wallNow = Date.now } = this.#options;
    const { provider, generation } = account;
    const target = { ref: record.ref, provider, generation };
    const claim = new RefreshClaim({ ...this.#options, clock, wallNow }, target);
    let refusal: Exclude<Claimed, { kind: 'claimed' }> | undefined;
    let unclaimed: { readonly error: unknown } | undefined;
    const late: Promise<TokenSet | undefined>[] = [];
    const guard: RefreshGuard = {
      isWanted: () => this.#isWanted(record, account),
      beforeSend: async () => {
        try {
          const claimed = await claim.take();
          unclaimed = undefined;
          refusal = claimed.kind === 'claimed' ? undefined : claimed;
          return claimed.kind === 'claimed' ? claimed.fence : undefined;
        } catch (error) {
          unclaimed = { error };
          return undefined;
        }
      },
      get isAmbiguous() {
        return claim.isAmbiguous;
      },
      expectLate: (tokens) => void late.push(tokens),
    };
    const outcome = await refreshTokens(provider, refreshToken, guard);
    try {
      switch (outcome.kind) {
        case 'granted':
          return await this.#commit(record, account, outcome.granted, refreshToken);
        case 'grant_revoked':
          await this.giveUp(record, account, 'grant_revoked');
          throw reauthenticationRequired(provider);
        case 'lost':
          await this.giveUp(record, account, 'refresh_lost', outcome.cause);
          throw reauthenticationRequired(provider, outcome.cause);
        case 'unavailable':
        case 'refused':
          return await this.#postpone(record, account, outcome).finally(() => claim.release());
        case 'unwanted':
          // If the token may be used up, the next refresh has to know, and sends it once at most.
          if (!outcome.isAmbiguous) await claim.release();
          if (unclaimed) throw unclaimed.error;
          if (refusal?.kind === 'held') await this.#waitForOther(record, account, refusal.untilMs);
          if (refusal?.kind === 'unsettled') await this.#waitUntil(provider, refusal.untilMs);
      }
    } finally {
      // Whether they may be revoked depends on what has become of the account.
      for (const tokens of late) void this.#disposeLate(record, account, tokens);
    }
  }

  async #disposeLate(
    record: SessionRecord,
    account: AccountRecord,
    late: Promise<TokenSet | undefined>,
  ): Promise<void> {
    const tokens = await late;
    if (tokens) await this.#options.disposal.revoke(record, account, tokens);
  }

  /** Waits for the refresh of another process. @throws SessionError `provider_unavailable` if it takes too long */
  async #waitForOther(record: SessionRecord, account: AccountRecord, untilMs: number): Promise<void> {
    const { registry, clock } = this.#options;
    const { provider, generation } = account;
    const startedMs = clock.now();
    while (clock.now() - startedMs < MAX_HELD_MS) {
      await this.#pause(HELD_PAUSE_MS);
      const current = (await registry.get(record.ref))?.accounts[provider];
      if (current?.generation !== generation || current.state !== 'authenticated') return;
      if (current.claim?.untilMs !== untilMs || untilMs <= clock.now()) return;
    }
    throw notRenewed(provider, 'provider_unavailable', (untilMs - clock.now()) / 1000);
  }

  /** @throws SessionError `provider_unavailable` if it takes too long */
  async #waitUntil(provider: string, untilMs: number): Promise<void> {
    const waitMs = untilMs - this.#options.clock.now();
    if (waitMs > MAX_HELD_MS) throw notRenewed(provider, 'provider_unavailable', waitMs / 1000);
    await this.#pause(waitMs);
  }

  /** Whether an account still needs a refresh. If the store does not answer, it does. */
  async #isWanted({ ref }: SessionRecord, { provider, generation }: AccountRecord): Promise<boolean> {
    try {
      const current = (await this.#options.registry.get(ref))?.accounts[provider];
      return current?.generation === generation && current.state === 'authenticated';
    } catch {
      return true;
    }
  }

  /** A provider that does not rotate refresh tokens returns none: the old one stays (RFC 6749 section 6). */
  async #commit(
    started: SessionRecord,
    account: AccountRecord,
    granted: GrantedTokens,
    oldRefreshToken: Secret,
  ): Promise<void> {
    const { registry, events, disposal, tokens: sealer } = this.#options;
    const { provider, subject } = account;
    const tokens = { ...granted.tokens, refreshToken: granted.tokens.refreshToken ?? oldRefreshToken };
    if (isOtherUser(granted, account)) {
      await this.giveUp(started, account, 'identity_changed');
      const { grantId } = account;
      await disposal.revoke(started, { provider, subject: granted.identity?.subject, grantId }, tokens);
      throw reauthenticationRequired(provider);
    }
    const attempts: AccountRecord[] = [];
    const change: SessionChange = (record) => {
      const current = record.accounts[provider];
      if (current?.generation !== account.generation || current.state !== 'authenticated') return undefined;
      const generation = record.generation + 1;
      const renewed = refreshedAccount(current, granted, this.#options.fraction());
      const { tokenRejected } = account;
      const sealed = sealer.seal(record, { ...renewed, generation, tokenRejected }, tokens);
      attempts.push(sealed);
      return { generation, accounts: { ...record.accounts, [provider]: sealed } };
    };
    const isDone = (record: SessionRecord) =>
      attempts.some((attempt) => isSameSeal(attempt, record.accounts[provider]));
    // The old refresh token may be used up.
    const lasting = { isDone, isLasting: true };
    const changed = await registry.update(started.ref, change, lasting).catch((error: unknown) => {
      // The account may have these tokens, or the same grant by the old ones. Revoking them could end it.
      for (const attempt of attempts) sealer.wipe(attempt);
      wipeTokenSet(tokens);
      throw error;
    });
    const kept = changed?.after.accounts[provider];
    for (const attempt of attempts) if (!isSameSeal(attempt, kept)) sealer.wipe(attempt);
    if (!changed) {
      await disposal.revoke(started, account, tokens);
      return;
    }
    wipeTokenSet(tokens);
    sealer.wipe(changed.before.accounts[provider]);
    const { generation, refreshAtMs } = changed.after.accounts[provider] ?? account;
    const session = snapshotOf(started);
    events.emit({ type: 'account.refreshed', ...session, provider, subject, generation, refreshAtMs });
    for (const nonconformance of nonconformancesOf(granted, account)) {
      events.emit({ type: 'account.nonconforming_answer', ...session, provider, subject, nonconformance });
    }
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(durationMs, resolve));
  }

  /** Keeps the account and schedules the next refresh. @throws SessionError always */
  async #postpone(record: SessionRecord, account: AccountRecord, outcome: PostponedRefresh): Promise<void> {
    const { clock, events, fraction } = this.#options;
    const { provider, subject, generation } = account;
    const failureReason = outcome.kind === 'refused' ? 'provider_refused' : 'provider_unavailable';
    const failures = (account.failures ?? 0) + 1;
    const askedMs = (outcome.retryAfterSeconds ?? 0) * 1000;
    const pauseMs = Math.max(backoffMs(outcome.kind, failures, fraction()), askedMs);
    const refreshAtMs = clock.now() + pauseMs;
    const changed = await this.#change(record.ref, account, { failureReason, failures, refreshAtMs });
    if (changed) {
      const oauthError = outcome.kind === 'refused' ? oauthErrorOf(outcome.cause) : undefined;
      const reason = failureIn(outcome.cause)?.reason;
      events.emit({
        type: 'account.refresh_failed',
        ...snapshotOf(record),
        provider,
        subject,
        generation,
        failureReason,
        ...(oauthError && { oauthError }),
        ...(reason && { reason }),
        refreshAtMs,
      });
    }
    throw notRenewed(provider, failureReason, pauseMs / 1000, outcome.cause);
  }

  /** Notes that APIs reject the access token of an account. It counts as expired until a refresh succeeds. */
  async expire(ref: SessionRef, account: AccountRecord, failureReason?: 'token_rejected'): Promise<void> {
    const { clock, events } = this.#options;
    const { provider, subject, generation, refreshAtMs } = account;
    const nowMs = clock.now();
    const expiresAtMs = Math.min(account.expiresAtMs ?? nowMs, nowMs);
    const changed = await this.#change(ref, account, {
      expiresAtMs,
      ...(failureReason && { failureReason }),
    });
    if (!changed || !failureReason) return;
    const failed = { provider, subject, generation, failureReason, refreshAtMs } as const;
    events.emit({ type: 'account.refresh_failed', ...snapshotOf(changed.after), ...failed });
  }

  /** Notes that an API rejects an access token that was just refreshed. Others may accept it. */
  async noteRejected(ref: SessionRef, account: AccountRecord): Promise<void> {
    const { provider, subject, generation, refreshAtMs } = account;
    const failureReason = 'token_rejected';
    const changed = await this.#change(ref, account, { failureReason });
    if (!changed) return;
    const failed = { provider, subject, generation, failureReason, refreshAtMs } as const;
    this.#options.events.emit({ type: 'account.refresh_failed', ...snapshotOf(changed.after), ...failed });
  }

  #change(
    ref: SessionRef,
    account: AccountRecord,
    fields: Partial<AccountRecord>,
    ofSession: Partial<SessionRecord> = {},
  ): Promise<ChangedSession | undefined> {
    return this.#options.registry.update(ref, (record) => {
      const current = record.accounts[account.provider];
      if (current?.generation !== account.generation || current.state !== 'authenticated') return undefined;
      return {
        ...ofSession,
        accounts: { ...record.accounts, [account.provider]: { ...current, ...fields } },
      };
    });
  }
}

/** The token set that a refresh replaces. */
interface StartedRefresh {
  readonly provider: string;
  readonly generation: number;
  /** Whether an API rejected its access token. */
  readonly tokenRejected?: true | undefined;
}

/** Whether an account has the tokens that another one has, sealed at once. A store may have copied them. */
function isSameSeal({ sealed }: AccountRecord, other: AccountRecord | undefined): boolean {
  return sealed !== undefined && other?.sealed !== undefined && sealed.salt.equals(other.sealed.salt);
}
