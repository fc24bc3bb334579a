import { SessionError } from '../errors.js';
import { sealContextOf } from '../session/disposal.js';
import type { AccountRecord, SessionRecord } from '../session/session-record.js';
import type { RandomSource } from '../vault/random.js';
import { decodeTokenSet, encodeTokenSet, type TokenSet, wipeTokenSet } from '../vault/token-set.js';
import type { Vault } from '../vault/vault.js';
import type { GrantedTokens } from './granted-tokens.js';
import { type TokenTimes, tokenTimes } from './refresh/window.js';

/** An account whose tokens are yet to be sealed. */
export type UnsealedAccount = Omit<AccountRecord, 'sealed' | keyof TokenTimes>;

/** Puts the tokens of accounts under seal, and takes them out for the moment of use. */
export class AccountTokens {
  readonly #vault: Vault;
  readonly #random: RandomSource;

  constructor(vault: Vault, random: RandomSource) {
    this.#vault = vault;
    this.#random = random;
  }

  /** An account with `tokens` sealed in it, in the place it has in `record`. The tokens stay the caller's. */
  seal(
    record: SessionRecord,
    account: UnsealedAccount,
    granted: GrantedTokens,
    tokens: TokenSet,
    previousLifetimeMs?: number,
  ): AccountRecord {
    const sealed = this.#vault.seal(encodeTokenSet(tokens), sealContextOf(record, account));
    const fraction = this.#random(4).readUInt32BE(0) / 2 ** 32;
    const times = tokenTimes(granted, previousLifetimeMs, account.hasRefreshToken, fraction);
    return { ...account, ...times, sealed };
  }

  /** An account's tokens, to be wiped after use; `undefined` if they have been wiped since `record` was read. */
  open(record: SessionRecord, account: AccountRecord): TokenSet | undefined {
    if (!account.sealed) return undefined;
    try {
      return decodeTokenSet(this.#vault.open(account.sealed, sealContextOf(record, account)));
    } catch (error) {
      if (error instanceof SessionError && error.code === 'sealed_record_invalid') return undefined;
      throw error;
    }
  }

  /** The accounts of one session sealed for another. What they were sealed in before is wiped. */
  move(from: SessionRecord, to: SessionRecord): Record<string, AccountRecord> {
    const accounts: Record<string, AccountRecord> = {};
    for (const [provider, account] of Object.entries(from.accounts)) {
      const tokens = this.open(from, account);
      if (!tokens) continue;
      const sealed = this.#vault.seal(encodeTokenSet(tokens), sealContextOf(to, account));
      wipeTokenSet(tokens);
      this.wipe(account);
      accounts[provider] = { ...account, sealed };
    }
    return accounts;
  }

  /** Destroys the sealed tokens of an account. */
  wipe(account: AccountRecord | undefined): void {
    if (account?.sealed) this.#vault.wipe(account.sealed);
  }
}
