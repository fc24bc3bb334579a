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

export interface DisposalOptions {
  readonly vault: Vault;
  readonly revokeTokens: RevokeTokens;
  readonly events: SessionEvents;
  /** Called after the change that disposes of the tokens. */
  readonly mayRevoke: MayRevoke;
  /** Called with the provider of tokens that are wiped without a revocation, because too many wait for one. */
  readonly onDropped?: ((provider: string) => void) | undefined;
}

const MAX_CONCURRENT = 50;
/** The maximum number of revocations at each provider, in flight and waiting. Each keeps at most 64 KiB of tokens. */
const MAX_KEPT = 10_000;

/** Wipes accounts and revokes their tokens at the providers. */
export class Disposal {
  readonly #options: DisposalOptions;
  readonly #running = new Set<Promise<unknown>>();
  /** Limits the concurrent revocations at each provider, which a closing server could overload. */
  readonly #limiters = new Map<string, LimitFunction>();

  constructor(options: DisposalOptions) {
    this.#options = options;
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
    if (state) this.#options.vault.wipe(state.sealed);
  }

  /**
   * Revokes tokens that are in no session, unless that ends another login, and wipes them. The revocations of a provider
   * are made in their order. If too many wait, the tokens are only wiped.
   */
  async revoke(
    session: SessionSnapshot,
    account: DisposedAccount,
    tokens: TokenSet,
  ): Promise<RevocationReport> {
    const { events, onDropped } = this.#options;
    const { provider, subject } = account;
    const limiter = this.#limiters.get(provider) ?? pLimit(MAX_CONCURRENT);
    this.#limiters.set(provider, limiter);
    const isDropped = limiter.activeCount + limiter.pendingCount >= MAX_KEPT;
    if (isDropped) onDropped?.(provider);
    const revoking = (isDropped ? drop() : limiter(() => this.#revoke(session, account, tokens))).finally(
      () => wipeTokenSet(tokens),
    );
    this.#running.add(revoking);
    try {
      const revocation = await revoking;
      events.emit({ type: 'account.revoked', ...snapshotOf(session), provider, subject, revocation });
      return { provider, revocation };
    } finally {
      this.#running.delete(revoking);
    }
  }

  async #revoke(session: SessionSnapshot, account: DisposedAccount, tokens: TokenSet): Promise<Revocation> {
    const { mayRevoke, revokeTokens } = this.#options;
    if (await mayRevoke(session, account)) return revokeTokens(account.provider, tokens);
    return account.subject === undefined ? 'unconfirmed' : 'deferred';
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
    const { vault } = this.#options;
    if (!account.sealed) return undefined;
    try {
      return decodeTokenSet(vault.open(account.sealed, sealContextOf(record, account)));
    } catch {
      return 'unreadable';
    } finally {
      vault.wipe(account.sealed);
    }
  }
}

/** Of tokens that are only wiped. Later, as the answer of a provider would be. */
async function drop(): Promise<Revocation> {
  return 'unconfirmed';
}
