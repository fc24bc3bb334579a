import { type SessionError, signedOut } from '../errors.js';
import {
  loginRequired,
  notRenewed,
  reauthenticationRequired,
  scopesRefused,
  scopesRequired,
  tokenRejected,
} from '../session/account-errors.js';
import type { RevocationReport } from '../session/disposal.js';
import type { SessionId, SessionRef } from '../session/ids.js';
import {
  type AccountRecord,
  type SessionRecord,
  type SessionSnapshot,
  snapshotOf,
} from '../session/session-record.js';
import { andThen, type MaybePromise } from '../time/promises.js';
import type { Secret } from '../vault/secret.js';
import { type AddedAccountsOptions, commitLogin, promote } from './added-accounts.js';
import type { GrantedTokens } from './refresh/granted-tokens.js';
import type { TokenRefresher } from './refresh/refresher.js';

export interface AccountsOptions extends AddedAccountsOptions {
  readonly refresher: TokenRefresher;
}

/** The account of a logged-in user. */
export interface Account {
  /** The provider's name. */
  readonly provider: string;
  /** Identifies the user at the provider: `sub` of the ID token, or what the provider calls it. */
  readonly subject: string;
  /** The user's name for people, if the provider gave one. Not verified, and not unique. */
  readonly name?: string;
  /** The granted scopes. */
  readonly scopes: readonly string[];
  /** The scopes that the login requested and the provider did not grant. Absent: none. */
  readonly refusedScopes?: readonly string[];
  /** The fields of the token answer and the callback that `tokenFields` and `callbackFields` name. Absent: none. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** An access token and the generation of its token set. */
export interface FreshAccessToken {
  readonly accessToken: Secret;
  readonly generation: number;
  /** Whether the login answered what an API had demanded, and no API has accepted its token yet. */
  readonly hasAnsweredClaims: boolean;
}

/** A token that expires sooner could expire on its way to the API. */
const EXPIRY_MARGIN_MS = 1000;
/** The maximum number of reads of an account whose token set is replaced in the meantime. */
const MAX_READS = 5;

/** The accounts of all sessions: commits logins, and returns fresh access tokens. */
export class Accounts {
  readonly #options: AccountsOptions;
  /** The logins and promotions that are adding accounts to sessions. */
  readonly #adding = new Set<Promise<unknown>>();

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  /** Waits for the accounts that are being added to sessions now. No session has them until then. */
  async added(): Promise<void> {
    await Promise.allSettled(this.#adding);
  }

  /** Counts work among that which `added` waits for: it takes the tokens of a login, and adds its account. */
  adding<T>(work: Promise<T>): Promise<T> {
    const added = work.finally(() => this.#adding.delete(added));
    this.#adding.add(added);
    return added;
  }

  /**
   * Adds the account of a login to its session. It replaces an older account at the same provider, whose tokens are
   * revoked. The login of another user signs the session out first: its calls, state and accounts at all providers end,
   * and a session handle becomes a pending handle, so that the user gets a new one. If the session was signed out or
   * has ended since the login began, the new tokens are revoked.
   * @returns the generation of the tokens; `undefined` if they were revoked
   * @throws SessionError `store_unavailable` if the store has not answered for a minute: then the session has the account
   * of `granted.hold`, or its tokens are revoked
   */
  commitLogin(
    snapshot: SessionSnapshot,
    provider: string,
    granted: GrantedTokens,
  ): Promise<number | undefined> {
    return this.adding(commitLogin(this.#options, snapshot, provider, granted));
  }

  /**
   * The access token of an account. Waits for a refresh if the token has expired; a token that expires soon is returned
   * while its refresh is in flight. The caller wipes the secret.
   * @throws SessionError `login_required`, `reauthentication_required`, `provider_unavailable`,
   * `provider_refused`, `signed_out`
   */
  async accessToken(snapshot: SessionSnapshot, provider: string): Promise<FreshAccessToken> {
    const { tokens, refresher, clock } = this.#options;
    let unreadable: number | undefined;
    for (let tries = 0; tries < MAX_READS; tries++) {
      const { record, account } = await this.require(snapshot, provider);
      const { expiresAtMs, refreshAtMs, hasRefreshToken, generation } = account;
      const now = clock.now();
      const isOver = expiresAtMs !== undefined && now >= expiresAtMs;
      const isDue = hasRefreshToken && refreshAtMs !== undefined && now >= refreshAtMs;
      if (isOver && !isDue && account.failureReason === 'token_rejected') throw tokenRejected(provider);
      if (isDue) {
        const refresh = refresher.refresh(snapshot.ref, provider, generation);
        if (expiresAtMs !== undefined && now >= expiresAtMs - EXPIRY_MARGIN_MS) {
          await refresh;
          continue;
        }
        // The scheduler retries. The token of this caller is still valid.
        refresh.catch(() => undefined);
      } else if (isOver) {
        if (hasRefreshToken) throw waitingForProvider(account, now);
        await refresher.giveUp(record, account, 'no_refresh_token');
        continue;
      }
      const accessToken = tokens.openAccessToken(record, account);
      if (accessToken) {
        const hasAnsweredClaims = account.answeredClaims !== undefined;
        return { accessToken, generation, hasAnsweredClaims };
      }
      // It was wiped since the read, which the next read shows, or it is damaged.
      if (unreadable === generation) await refresher.giveUp(record, account, 'tokens_unreadable');
      unreadable = generation;
    }
    throw notRenewed(provider, 'provider_unavailable', 1);
  }

  /**
   * The accounts of a session whose login is valid.
   * @throws SessionError `signed_out`
   */
  async list(snapshot: SessionSnapshot): Promise<Account[]> {
    const { accounts } = await this.#read(snapshot);
    return Object.values(accounts)
      .filter(({ state }) => state === 'authenticated')
      .map(({ provider, subject, name, scopes, refusedScopes, fields }) => ({
        provider,
        subject,
        ...(name !== undefined && { name }),
        scopes,
        ...(refusedScopes && { refusedScopes }),
        ...(fields && { fields }),
      }));
  }

  /** The valid login of a session at a provider, if there is one. @throws SessionError `signed_out` */
  async find(snapshot: SessionSnapshot, provider: string): Promise<Account | undefined> {
    return (await this.list(snapshot)).find((account) => account.provider === provider);
  }

  /** Signs a session out, unless it is signed out already. Resolves when its tokens are wiped. */
  async signOut({ ref, epoch }: SessionSnapshot): Promise<void> {
    await this.#options.registry.signOut(ref, 'logout', (record) => record.epoch === epoch);
  }

  /**
   * Logs a session out of one provider. Out of the last one, it is signed out.
   * @param generation the token set to remove. Default: any
   */
  async remove(ref: SessionRef, provider: string, generation?: number): Promise<RevocationReport[]> {
    const { registry, disposal, events } = this.#options;
    const matches = (account: AccountRecord | undefined) =>
      account !== undefined && (generation === undefined || account.generation === generation);
    const changed = await registry.update(ref, ({ accounts, formerSubjects }) => {
      const { [provider]: removed, ...rest } = accounts;
      if (!removed || !matches(removed) || Object.keys(rest).length === 0) return undefined;
      // The state may be that of the user who logs out.
      return {
        accounts: rest,
        formerSubjects: { ...formerSubjects, [provider]: removed.subject },
        state: undefined,
      };
    });
    const removed = changed?.before.accounts[provider];
    if (changed && removed) {
      disposal.wipeState(changed.before);
      const { subject } = removed;
      events.emit({ type: 'account.removed', ...snapshotOf(changed.after), provider, subject });
      return disposal.dispose(changed.before, [removed]);
    }
    const record = await registry.get(ref);
    if (!matches(record?.accounts[provider])) return [];
    const { revoked } = await registry.signOut(ref, 'logout');
    return revoked;
  }

  /**
   * Replaces a pending handle by a session handle. The accounts are sealed for the new session, and the pending handle
   * is unknown from then on.
   * @returns the new session; `undefined` if the pending one has ended
   */
  promote(pending: SessionRecord): Promise<{ id: SessionId; record: SessionRecord } | undefined> {
    return this.adding(promote(this.#options, pending));
  }

  /**
   * Throws or rejects unless a user is logged in to the session at the provider; in the same tick if the store answers
   * at once, because every call of a tool that requires a login is checked.
   * @throws SessionError `login_required`, `reauthentication_required`, `signed_out`
   */
  assertLoggedIn(
    snapshot: SessionSnapshot,
    provider: string,
    scopes: readonly string[] = [],
  ): MaybePromise<void> {
    return andThen(this.require(snapshot, provider), ({ account }) => {
      if (scopes.length === 0) return;
      const missing = scopes.filter((scope) => !account.scopes.includes(scope));
      const refused = missing.filter((scope) => account.refusedScopes?.includes(scope));
      if (refused.length > 0) throw scopesRefused(provider, refused);
      if (missing.length > 0) throw scopesRequired(provider, missing);
    });
  }

  #read(snapshot: SessionSnapshot): MaybePromise<SessionRecord> {
    return andThen(this.#options.registry.get(snapshot.ref), (record) => {
      if (!record || record.epoch !== snapshot.epoch) throw signedOut();
      return record;
    });
  }

  /**
   * The account of a login at a provider, in the same tick if the store answers at once.
   * @throws SessionError `login_required`, `reauthentication_required`, `signed_out`
   */
  require(
    snapshot: SessionSnapshot,
    provider: string,
  ): MaybePromise<{ record: SessionRecord; account: AccountRecord }> {
    return andThen(this.#read(snapshot), (record) => {
      const account = record.accounts[provider];
      if (!account) throw loginRequired(provider, record.signedOut);
      if (account.state === 'reauthentication_required') throw reauthenticationRequired(provider);
      return { record, account };
    });
  }
}

/** The error while a refresh has failed and the next one is not due. */
function waitingForProvider(
  { provider, failureReason, refreshAtMs }: AccountRecord,
  nowMs: number,
): SessionError {
  const seconds = ((refreshAtMs ?? nowMs) - nowMs) / 1000;
  return notRenewed(
    provider,
    failureReason === 'provider_refused' ? failureReason : 'provider_unavailable',
    seconds,
  );
}
