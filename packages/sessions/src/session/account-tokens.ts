import { SessionError } from '../errors.js';
import type { Secret } from '../vault/secret.js';
import {
  decodeAccessToken,
  decodeTokenSet,
  encodeTokenSet,
  type TokenSet,
  wipeTokenSet,
} from '../vault/token-set.js';
import type { Vault } from '../vault/vault.js';
import { sealContextOf } from './disposal.js';
import type { AccountRecord, SessionRecord } from './session-record.js';

/** An account whose tokens are not sealed yet. */
export type UnsealedAccount = Omit<AccountRecord, 'sealed'>;

/** Seals the tokens of accounts, and opens them for use. */
export class AccountTokens {
  readonly #vault: Vault;

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /** Seals tokens for an account of a session. The caller wipes `tokens`. */
  seal(record: SessionRecord, account: UnsealedAccount, tokens: TokenSet): AccountRecord {
    const sealed = this.#vault.seal(encodeTokenSet(tokens), sealContextOf(record, account));
    return { ...account, sealed };
  }

  /**
   * Opens the tokens of an account. The caller wipes them.
   * @returns `undefined` if the sealed tokens are wiped or damaged
   */
  open(record: SessionRecord, account: AccountRecord): TokenSet | undefined {
    return this.#open(record, account, decodeTokenSet);
  }

  /** Opens the access token of an account only. Otherwise like `open`. */
  openAccessToken(record: SessionRecord, account: AccountRecord): Secret | undefined {
    return this.#open(record, account, decodeAccessToken);
  }

  #open<T>(record: SessionRecord, account: AccountRecord, decode: (encoded: Buffer) => T): T | undefined {
    if (!account.sealed) return undefined;
    try {
      return decode(this.#vault.open(account.sealed, sealContextOf(record, account)));
    } catch (error) {
      if (error instanceof SessionError && error.code === 'sealed_record_invalid') return undefined;
      throw error;
    }
  }

  /** Seals the accounts of one session for another, and wipes the originals. Leaves out accounts that do not open. */
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
