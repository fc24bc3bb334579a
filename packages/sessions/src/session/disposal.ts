import pLimit, { type LimitFunction } from 'p-limit';
import { decodeTokenSet, type TokenSet, wipeTokenSet } from '../vault/token-set.js';
import type { SealContext, Vault } from '../vault/vault.js';
import type { Revocation, SessionEvents } from './session-events.js';
import {
  type AccountRecord,
  type SessionRecord,
  type SessionSnapshot,
  snapshotOf,
} from './session-record.js';

/** Revokes tokens at a provider (RFC 7009). Has a time limit; never rejects. */
export type RevokeTokens = (provider: string, tokens: TokenSet) => Promise<Revocation>;

/** The result of the revocation of one account's tokens. */
export interface RevocationReport {
  readonly provider: string;
  readonly revocation: Revocation;
}

/** The context in which the tokens of an account are sealed. */
export function sealContextOf(
  record: Pick<SessionRecord, 'ref' | 'owner'>,
  account: Pick<AccountRecord, 'provider' | 'generation'>,
): SealContext {
  const { provider, generation } = account;
  return { sessionRef: record.ref, owner: record.owner, provider, generation };
}

/** The account whose tokens are to be revoked. */
export interface DisposedAccount {
  readonly provider: string;
  /** `undefined`: the user is not known. */
  readonly subject?: string | undefined;
  /** `undefined`: no account can have the grant. */
  readonly grantId?: number | undefined;
}

/** Whether tokens that no account has may be revoked: that ends no other login. Never rejects. */
export type MayRevoke = (session: SessionSnapshot, account: DisposedAccount) => Promise<boolean>;

const MAX_CONCURRENT = 50;

/** Wipes accounts and revokes their tokens at the providers. */
export class Disposal {
  readonly #vault: Vault;
  readonly #revokeTokens: RevokeTokens;
  readonly #events: SessionEvents;
  readonly #mayRevoke: MayRevoke;
  readonly #running = new Set<Promise<unknown>>();
  /** Limits the concurrent revocations at each provider, which a closing server could overload. */
  readonly #limiters = new Map<string, LimitFunction>();

  /** @param mayRevoke called after the change that disposes of the tokens */
  constructor(vault: Vault, revokeTokens: RevokeTokens, events: SessionEvents, mayRevoke: MayRevoke) {
    this.#vault = vault;
    this.#revokeTokens = revokeTokens;
    this.#events = events;
    this.#mayRevoke = mayRevoke;
  }

  /**
   * Wipes the accounts before it returns. The promise resolves to the answers of the providers. Until then the tokens
   * are kept in buffers that can be wiped.
   */
  dispose(record: SessionRecord, accounts: readonly AccountRecord[]): Promise<RevocationReport[]> {
    const revocations = accounts.map((account): Promise<RevocationReport> => {
      const { provider } = account;
      const tokens = this.#takeTokens(record, account);
      if (tokens === 'unreadable') return Promise.resolve({ provider, revocation: 'unconfirmed' });
      // An account without tokens needed a new login. Its tokens are known to be invalid only if the provider said so.
      if (!tokens) {
        const revocation = account.failureReason === 'grant_revoked' ? 'confirmed' : 'unconfirmed';
        return Promise.resolve({ provider, revocation });
      }
      return this.revoke(record, account, tokens);
    });
    return Promise.all(revocations);
  }

  /** Wipes the state of a session. */
  wipeState({ state }: SessionRecord): void {
    if (state) this.#vault.wipe(state.sealed);
  }

  /** Revokes tokens that are in no session, unless that ends another login, and wipes them. */
  async revoke(
    session: SessionSnapshot,
    account: DisposedAccount,
    tokens: TokenSet,
  ): Promise<RevocationReport> {
    const { provider, subject } = account;
    const limiter = this.#limiters.get(provider) ?? pLimit(MAX_CONCURRENT);
    this.#limiters.set(provider, limiter);
    const revoking = limiter(async (): Promise<Revocation> => {
      if (await this.#mayRevoke(session, account)) return this.#revokeTokens(provider, tokens);
      return subject === undefined ? 'unconfirmed' : 'deferred';
    }).finally(() => wipeTokenSet(tokens));
    this.#running.add(revoking);
    try {
      const revocation = await revoking;
      this.#events.emit({ type: 'account.revoked', ...snapshotOf(session), provider, subject, revocation });
      return { provider, revocation };
    } finally {
      this.#running.delete(revoking);
    }
  }

  /** The number of revocations in flight. */
  get pending(): number {
    return this.#running.size;
  }

  /** Waits for the revocations in flight. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  #takeTokens(record: SessionRecord, account: AccountRecord): TokenSet | 'unreadable' | undefined {
    if (!account.sealed) return undefined;
    try {
      return decodeTokenSet(this.#vault.open(account.sealed, sealContextOf(record, account)));
    } catch {
      return 'unreadable';
    } finally {
      this.#vault.wipe(account.sealed);
    }
  }
}
