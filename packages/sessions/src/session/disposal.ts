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

/** The port to a provider's revocation endpoint (RFC 7009). Bounded in time; never rejects. */
export type RevokeTokens = (provider: string, tokens: TokenSet) => Promise<Revocation>;

/** What became of one account's tokens at its provider. */
export interface RevocationReport {
  readonly provider: string;
  readonly revocation: Revocation;
}

/** The place of an account's tokens, to seal and open them with. */
export function sealContextOf(
  record: Pick<SessionRecord, 'ref' | 'owner'>,
  account: Pick<AccountRecord, 'provider' | 'generation'>,
): SealContext {
  const { provider, generation } = account;
  return { sessionRef: record.ref, owner: record.owner, provider, generation };
}

const MAX_CONCURRENT = 50;

/** Wipes accounts and has their tokens revoked upstream. */
export class Disposal {
  readonly #vault: Vault;
  readonly #revokeTokens: RevokeTokens;
  readonly #events: SessionEvents;
  readonly #running = new Set<Promise<unknown>>();
  /** Closing a full server must not fall upon a provider all at once, and none of them waits for another. */
  readonly #inTurn = new Map<string, LimitFunction>();

  constructor(vault: Vault, revokeTokens: RevokeTokens, events: SessionEvents) {
    this.#vault = vault;
    this.#revokeTokens = revokeTokens;
    this.#events = events;
  }

  /**
   * Wipes the accounts before it returns; the promise tells later what the providers said.
   * For the time of the revocation the tokens live on in wipeable buffers, and nowhere else.
   */
  dispose(record: SessionRecord, accounts: readonly AccountRecord[]): Promise<RevocationReport[]> {
    const revocations = accounts.map((account): Promise<RevocationReport> => {
      const { provider } = account;
      const tokens = this.#takeTokens(record, account);
      if (tokens === 'unreadable') return Promise.resolve({ provider, revocation: 'unconfirmed' });
      // An account without tokens has been given up before. Whether they are dead is known only if it was the
      // provider who said so.
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

  /** Has tokens revoked that are in no session, or no longer, and wipes them. */
  async revoke(
    session: SessionSnapshot,
    { provider, subject }: { readonly provider: string; readonly subject?: string | undefined },
    tokens: TokenSet,
  ): Promise<RevocationReport> {
    const inTurn = this.#inTurn.get(provider) ?? pLimit(MAX_CONCURRENT);
    this.#inTurn.set(provider, inTurn);
    const revoking = inTurn(() => this.#revokeTokens(provider, tokens)).finally(() => wipeTokenSet(tokens));
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

  /** Waits for what is being revoked. */
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
