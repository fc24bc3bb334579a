import type { MaybePromise } from '../time/promises.js';
import type { DisposedAccount, MayRevoke } from './disposal.js';
import type { SessionRef } from './ids.js';
import { accountIndex } from './session-index.js';
import type { AccountRecord, SessionRecord, SessionSnapshot } from './session-record.js';
import type { SessionStore } from './session-store.js';

type Grant = Pick<AccountRecord, 'provider' | 'subject' | 'grantId'>;

/** The grant of a login that has tokens, and whose account is in no session yet. */
export interface LoginGrant extends Grant {
  /** The session that the login belongs to. */
  readonly snapshot: SessionSnapshot;
}

export interface GrantsInUseOptions {
  readonly store: Pick<SessionStore, 'get' | 'refsOf'>;
  /** The names of the providers that keep one grant for a user and a client. */
  readonly grantProviders: ReadonlySet<string>;
  /** The grants of logins that wait for their confirmation code, or are being committed. */
  readonly loginGrants: () => MaybePromise<readonly LoginGrant[]>;
}

const MAX_TRIES = 2;

/**
 * The grants that accounts have. Revoking a token can end its whole grant (RFC 7009 section 2.1), so tokens are not
 * revoked while an account has the same grant. At some providers, all logins of a user have the same one.
 */
export class GrantsInUse {
  readonly #options: GrantsInUseOptions;
  /** Sessions whose accounts are on the way to another one, and what resolves when they have arrived. */
  readonly #moving = new Map<SessionRecord, Promise<void>>();

  constructor(options: GrantsInUseOptions) {
    this.#options = options;
  }

  /**
   * Whether tokens that no account has may be revoked: that ends no other login. Where all logins of a user have one
   * grant, tokens of an unknown user may not.
   */
  readonly mayRevoke: MayRevoke = async ({ ref }, account) => {
    const isUnknown = account.subject === undefined;
    if (isUnknown && this.#options.grantProviders.has(account.provider)) return false;
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      try {
        return !(await this.#isHeldByLogin(account)) && !(await this.#isInSession(ref, account));
      } catch {
        // An answer can be lost.
      }
    }
    // The store does not answer. Tokens that stay valid until they expire are the smaller harm.
    return false;
  };

  /**
   * Keeps the grants of a session in use while its accounts move to another one.
   * @returns a function to call when the other session has them, or before they are disposed of
   */
  hold(session: SessionRecord): () => void {
    let arrive: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    this.#moving.set(session, arrived);
    return () => {
      this.#moving.delete(session);
      arrive();
    };
  }

  /** A login has its account in a session before its hold ends, so ask for the holds first. */
  async #isHeldByLogin(account: DisposedAccount): Promise<boolean> {
    if (!this.#options.grantProviders.has(account.provider)) return false;
    for (const grant of await this.#options.loginGrants()) {
      // A login that disposes of its tokens does not use them.
      if (grant.grantId === account.grantId || !this.#isSameGrant(grant, account)) continue;
      if (await this.#mayCommit(grant)) return true;
    }
    return false;
  }

  /** Whether a login has its account in its session, or can still add it. */
  async #mayCommit({ snapshot, provider, grantId }: LoginGrant): Promise<boolean> {
    const record = await this.#options.store.get(snapshot.ref);
    const account = record?.accounts[provider];
    return account?.grantId === grantId
      ? account.state === 'authenticated'
      : record?.epoch === snapshot.epoch;
  }

  async #isInSession(ref: SessionRef, account: DisposedAccount): Promise<boolean> {
    const { store } = this.#options;
    const { provider, subject } = account;
    const asked = new Set<SessionRef>();
    // Accounts move to other sessions while the store is asked, so the last round finds no session to ask.
    for (;;) {
      const ofUser = subject === undefined ? [] : await store.refsOf(accountIndex({ provider, subject }));
      const [next] = [ref, ...ofUser].filter((each) => !asked.has(each));
      const moving = [...this.#moving].find(([session]) => this.#hasGrant(session, account));
      if (moving) {
        // A later login may have replaced the account before it moved, so only its new session tells.
        await moving[1];
        return this.#isInSession(ref, account);
      }
      if (next === undefined) return false;
      asked.add(next);
      const record = await store.get(next);
      if (record && this.#hasGrant(record, account)) return true;
    }
  }

  #hasGrant({ accounts }: SessionRecord, account: DisposedAccount): boolean {
    const current = accounts[account.provider];
    return current?.state === 'authenticated' && this.#isSameGrant(current, account);
  }

  #isSameGrant(grant: Grant, { provider, subject, grantId }: DisposedAccount): boolean {
    if (grant.provider !== provider) return false;
    const isOfUser = this.#options.grantProviders.has(provider) && grant.subject === subject;
    return isOfUser || grant.grantId === grantId;
  }
}
