import type { SessionRef } from '../session/ids.js';
import type { SessionMatcher } from '../session/session-administration.js';
import { accountIndex } from '../session/session-index.js';
import type { AccountRecord } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { TokenRefresher } from './refresh/refresher.js';

/** Who has logged out at a provider. At least one of both is present. */
export interface LoggedOutUser {
  /** `sub` of the logout token. */
  readonly subject?: string;
  /** The session at the provider (`sid`). Absent: all sessions of the user. */
  readonly session?: string;
}

export interface ProviderLogoutsOptions {
  readonly registry: SessionRegistry;
  readonly refresher: Pick<TokenRefresher, 'giveUp'>;
  readonly accounts: {
    /** Waits for the accounts that are being added to sessions now. */
    added(): Promise<void>;
  };
  readonly logins: {
    /** Discards the tokens of logins that wait for their confirmation code. */
    discardUnconfirmed(matches: SessionMatcher): Promise<unknown>;
  };
}

type Identified = Pick<AccountRecord, 'provider' | 'openIdSubject' | 'providerSession'>;
type IsLoggedOut = (account: Identified) => boolean;

/** Signs out users who have logged out at their provider (OpenID Connect Back-Channel Logout section 2.7). */
export class ProviderLogouts {
  readonly #options: ProviderLogoutsOptions;

  constructor(options: ProviderLogoutsOptions) {
    this.#options = options;
  }

  /**
   * Signs out each session whose only account is the user's. In a session with other accounts, this account needs a new
   * login. Resolves when the tokens are wiped.
   * @throws SessionError `store_unavailable`, after all other sessions are signed out
   */
  async signOut(provider: string, user: LoggedOutUser): Promise<void> {
    const { registry, accounts, logins } = this.#options;
    const isLoggedOut: IsLoggedOut = (account) => account.provider === provider && isOf(user, account);
    await logins.discardUnconfirmed((_session, unconfirmed) => unconfirmed.some(isLoggedOut));
    const { subject } = user;
    const signOutAll = async () => {
      const pages =
        subject === undefined
          ? registry.refs()
          : [await registry.refsOf(accountIndex({ provider, subject }))];
      const failures: unknown[] = [];
      for await (const refs of pages) {
        const ended = await Promise.allSettled(refs.map((ref) => this.#signOutOne(ref, isLoggedOut)));
        for (const result of ended) if (result.status === 'rejected') failures.push(result.reason);
      }
      return failures;
    };
    const failures = await signOutAll();
    // Accounts that were being added were in no session.
    await accounts.added();
    failures.push(...(await signOutAll()));
    if (failures.length > 0) throw failures[0];
  }

  async #signOutOne(ref: SessionRef, isLoggedOut: IsLoggedOut): Promise<void> {
    const { registry, refresher } = this.#options;
    // A refresh may change the record between the read and the sign-out.
    for (;;) {
      const record = await registry.get(ref);
      const all = Object.values(record?.accounts ?? {});
      const account = all.find(isLoggedOut);
      if (!record || !account) return;
      if (all.length === 1) {
        await registry.signOut(ref, 'provider_logout', ({ version }) => version === record.version);
      } else if (account.state === 'authenticated') {
        await refresher.giveUp(record, account, 'provider_logout');
      } else return;
    }
  }
}

/** A token with a session concerns that session, and accounts whose session at the provider is not known. */
function isOf({ subject, session }: LoggedOutUser, account: Identified): boolean {
  const isSubject = subject === undefined || account.openIdSubject === subject;
  if (session === undefined) return isSubject;
  if (account.providerSession !== undefined) return account.providerSession === session && isSubject;
  return subject !== undefined && isSubject;
}
