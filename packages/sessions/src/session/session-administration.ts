import { z } from 'zod';
import { unknownProvider } from '../errors.js';
import { parseOptions } from '../parse-options.js';
import type { Clock } from '../time/clock.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { logIdOf, publicIdOf, type SessionRef } from './ids.js';
import { lastSeenAtMs } from './lifetimes.js';
import { accountIndex } from './session-index.js';
import type { AccountRecord, SessionRecord, SessionSnapshot } from './session-record.js';
import type { SessionRegistry } from './session-registry.js';

/** A session, as `sessions.list()` shows it. Contains no secrets. */
export interface ListedSession {
  /** The session's `id`, as tools and events have it. New after every sign-out. */
  readonly id: string;
  /** The session's id in the audit log. */
  readonly logId: string;
  /** The users that are logged in, one for each provider. Empty without a login. */
  readonly accounts: readonly {
    readonly provider: string;
    readonly subject: string;
    readonly name?: string;
  }[];
  readonly startedAt: Date;
  /** When the client was last active; the current time while a request or a stream is open. */
  readonly lastUsedAt: Date;
}

/** Which sessions to sign out. A session has to meet every given criterion; at least one is required. */
export interface SignOutFilter {
  /** The session's `id`. */
  readonly session?: string;
  /** The subject of an account, at `provider` if that is given, too. */
  readonly subject?: string;
  /** The name of a provider that the session has an account at. */
  readonly provider?: string;
}

/** Whether a filter matches a session with these accounts. */
export type SessionMatcher = (
  session: SessionSnapshot,
  accounts: readonly Pick<AccountRecord, 'provider' | 'subject' | 'openIdSubject' | 'providerSession'>[],
) => boolean;

export interface SessionAdministrationOptions {
  readonly registry: SessionRegistry;
  readonly accounts: {
    /** Waits for the accounts that are being added to sessions now. */
    added(): Promise<void>;
  };
  readonly logins: {
    /** Discards the tokens of logins that wait for their confirmation code. @returns the sessions of these logins */
    discardUnconfirmed(matches: SessionMatcher): Promise<readonly SessionRef[]>;
  };
  readonly keys: KeyHierarchy;
  readonly clock: Clock;
  /** The configured providers, by name. */
  readonly providers: ReadonlyMap<string, unknown>;
}

/** The sessions that a filter can match. */
interface Search {
  /** Their references, in pages. */
  readonly pages: () => Promise<AsyncIterable<readonly SessionRef[]> | readonly (readonly SessionRef[])[]>;
  readonly matches: SessionMatcher;
}

// A criterion without a value is a mistake: ignoring it would sign out more sessions than meant.
const criterion = z.exactOptional(z.string());
const filterSchema = z
  .strictObject({ session: criterion, subject: criterion, provider: criterion } satisfies Record<
    keyof SignOutFilter,
    z.ZodType
  >)
  .refine((filter) => Object.keys(filter).length > 0, 'needs a session, a subject or a provider');

/** Lists the sessions of this node for an operator, and signs them out. */
export class SessionAdministration {
  readonly #options: SessionAdministrationOptions;

  constructor(options: SessionAdministrationOptions) {
    this.#options = options;
  }

  async list(): Promise<ListedSession[]> {
    const listed: ListedSession[] = [];
    const now = this.#options.clock.now();
    const date = Date.now();
    const dateOf = (atMs: number) => new Date(date - Math.max(0, now - atMs));
    for await (const refs of this.#options.registry.refs()) {
      for (const record of await this.#records(refs)) listed.push(this.#describe(record, dateOf));
    }
    return listed;
  }

  /**
   * Signs sessions out: wipes their tokens, and has them revoked. Resolves when the tokens are wiped. Includes logins
   * that wait for their confirmation code, and those that are being added to their session.
   * @returns the number of sessions that were signed out
   * @throws SessionError `configuration` if the filter is empty or has another criterion or value, `unknown_provider`,
   * `store_unavailable` after all other sessions are signed out
   */
  async signOut(filter: SignOutFilter): Promise<number> {
    const { accounts, logins } = this.#options;
    const search = this.#searchOf(filter);
    const signedOut = new Set(await logins.discardUnconfirmed(search.matches));
    const failures = await this.#signOutAll(search, signedOut);
    // Accounts that are being added are in no session: first those of a login, then those that `promote` moves.
    for (let addition = 0; addition < 2; addition++) {
      await accounts.added();
      failures.push(...(await this.#signOutAll(search, signedOut)));
    }
    if (failures.length > 0) throw failures[0];
    return signedOut.size;
  }

  /** @param signedOut gets the sessions that were signed out. @returns the errors of the store */
  async #signOutAll({ pages, matches }: Search, signedOut: Set<SessionRef>): Promise<unknown[]> {
    const { registry } = this.#options;
    const isMatch = (record: SessionRecord) => matches(record, Object.values(record.accounts));
    const failures: unknown[] = [];
    for await (const refs of await pages()) {
      const records = (await this.#records(refs)).filter(isMatch);
      const signOuts = records.map(async ({ ref }) => {
        const { isDone } = await registry.signOut(ref, 'operator', isMatch);
        if (isDone) signedOut.add(ref);
      });
      for (const result of await Promise.allSettled(signOuts)) {
        if (result.status === 'rejected') failures.push(result.reason);
      }
    }
    return failures;
  }

  async #records(refs: readonly SessionRef[]): Promise<SessionRecord[]> {
    const { registry } = this.#options;
    const records = await Promise.all(refs.map((ref) => registry.get(ref)));
    // The accounts of an owned connection are those of its owner's session.
    return records.filter(
      (record) => record !== undefined && record.kind !== 'owned-connection',
    ) as SessionRecord[];
  }

  #describe(record: SessionRecord, dateOf: (atMs: number) => Date): ListedSession {
    const { registry, keys } = this.#options;
    return {
      id: publicIdOf(keys, record),
      logId: logIdOf(keys, record.ref),
      accounts: Object.values(record.accounts).map(({ provider, subject, name }) => ({
        provider,
        subject,
        ...(name !== undefined && { name }),
      })),
      startedAt: dateOf(record.createdAtMs),
      lastUsedAt: dateOf(lastSeenAtMs(record, registry.presenceOf(record.ref))),
    };
  }

  #searchOf(given: SignOutFilter): Search {
    // One read of each criterion: what is checked is what is used.
    const filter: SignOutFilter = { ...given };
    const { session, subject, provider } = parseOptions(
      filterSchema,
      filter,
      'The filter of `signOut` is invalid',
    );
    const { providers, registry } = this.#options;
    if (provider !== undefined && !providers.has(provider)) throw unknownProvider(providers.keys());
    const hasAccount = subject !== undefined || provider !== undefined;
    const pages = async () => {
      if (subject === undefined) return registry.refs();
      const names = provider === undefined ? [...providers.keys()] : [provider];
      const found = await Promise.all(
        names.map((name) => registry.refsOf(accountIndex({ provider: name, subject }))),
      );
      return [[...new Set(found.flat())]];
    };
    const matches: SessionMatcher = (snapshot, accounts) =>
      (session === undefined || publicIdOf(this.#options.keys, snapshot) === session) &&
      (!hasAccount ||
        accounts.some(
          (account) =>
            (subject === undefined || account.subject === subject) &&
            (provider === undefined || account.provider === provider),
        ));
    return { pages, matches };
  }
}
