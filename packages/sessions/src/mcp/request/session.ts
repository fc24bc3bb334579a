import { z } from 'zod';
import type { Account, Accounts } from '../../account/accounts.js';
import type { SessionFetch } from '../../account/session-fetch.js';
import type { SessionState, SessionStates } from '../../account/session-state.js';
import { SessionError, unknownProvider } from '../../errors.js';
import { parseOptions } from '../../parse-options.js';
import type { SessionRef } from '../../session/ids.js';
import type { SessionSnapshot } from '../../session/session-record.js';
import { handled } from '../../time/promises.js';
import { useSecret } from '../../vault/secret.js';

/** Options of `session.withAccessToken`. */
export interface SessionCallOptions<ProviderName extends string = string> {
  /** The provider of the account. Default: that of the handler's `requireLogin`, else the first configured one. */
  readonly provider?: ProviderName;
}

/**
 * The session of the current request. It belongs to one person: the login of another user is a sign-out, too. After a
 * sign-out its methods reject with `signed_out`, also if a tool has kept
 * the object. A rejection that nothing awaits does not end the process.
 */
export interface Session<ProviderName extends string = string> {
  /**
   * Identifies the session until its next sign-out: 128 bits, derived from a key of this process. It gives no access,
   * so it may be stored and logged. Events have it as `session`.
   * @throws SessionError `login_required` if the request names no session
   */
  readonly id: string;
  /**
   * The account of the logged-in user; `undefined` if no user is logged in at the provider, or the login has to be
   * renewed.
   * @param provider Default: the provider of the handler's `requireLogin`, else the first configured one
   */
  account(provider?: ProviderName): Promise<Account | undefined>;
  /** The accounts at all providers. Empty if no user is logged in. */
  accounts(): Promise<readonly Account[]>;
  /**
   * Logs the user out at all providers. Resolves when the tokens are wiped; their revocation at the providers goes on.
   * Aborts the running calls of the session. Does nothing if the session is signed out already.
   */
  signOut(): Promise<void>;
  /**
   * `fetch` in the name of the logged-in user, for any API client that takes a `fetch`. Adds the access token, refreshed
   * if necessary, to requests to the `apiOrigins` of a provider: that of the handler's `requireLogin`, if the URL is
   * among its `apiOrigins`, else the first provider with that origin. A redirect to another origin is followed with a
   * GET without the token, the headers and the body. The body of a `Request` is read into memory before it is sent.
   * @throws SessionError `login_required`, `reauthentication_required`, `provider_unavailable`, `provider_refused`,
   * `origin_not_allowed`, `signed_out`
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Calls `use` with a fresh access token, for what `fetch` cannot do. Do not keep the token: it is refreshed and
   * revoked independently of this call.
   * @throws SessionError as `fetch`, `unknown_provider`, and `configuration` for an unknown option; also the errors of `use`, or
   * a TypeError in place of one that contains the token
   */
  withAccessToken<T>(
    use: (accessToken: string) => Promise<T>,
    options?: SessionCallOptions<ProviderName>,
  ): Promise<T>;
  /**
   * Notifies the clients of this session that have subscribed to a resource that it has changed
   * (`notifications/resources/updated`). Clients of other sessions are not notified.
   * @throws SessionError `login_required` if the request names no session, `signed_out`
   */
  resourceUpdated(uri: string): Promise<void>;
  /**
   * Data of yours for the user of this session, while the user is logged in. Sealed like the tokens, and wiped at the
   * sign-out, and when the user logs out of one provider.
   */
  readonly state: SessionState;
}

/** @param session the session whose clients are notified; `undefined`: all sessions */
export type ResourceUpdateListener = (uri: string, session: SessionRef | undefined) => void;

/** Passes changes of resources on to the connections and streams of both eras. */
export class ResourceUpdates {
  readonly #listeners: ResourceUpdateListener[] = [];

  /** @param listener called for each change; it notifies the clients that have subscribed to the resource */
  subscribe(listener: ResourceUpdateListener): void {
    this.#listeners.push(listener);
  }

  notify(uri: string, session?: SessionRef): void {
    for (const listener of this.#listeners) listener(uri, session);
  }
}

const callSchema = z.strictObject({
  provider: z.string().optional(),
} satisfies Record<keyof SessionCallOptions, z.ZodType>);

/** What sessions are made of. */
export interface SessionServices {
  readonly accounts: Accounts;
  readonly fetch: SessionFetch;
  readonly states: SessionStates;
  /** The public id of a session. */
  readonly idOf: (session: SessionSnapshot) => string;
  readonly resourceUpdates: ResourceUpdates;
}

/** The session of a request without a session. It has no accounts, and rejects calls that need one. */
export function refusingSession(reason: SessionError): Session {
  const refuse = () => handled(Promise.reject(reason));
  return {
    get id(): string {
      throw new SessionError(reason.code, reason.message);
    },
    account: () => Promise.resolve(undefined),
    accounts: () => Promise.resolve([]),
    signOut: () => Promise.resolve(),
    fetch: refuse,
    withAccessToken: refuse,
    resourceUpdated: refuse,
    state: { get: refuse, set: refuse },
  };
}

/** The session that a request names. */
export function liveSession(
  snapshot: SessionSnapshot,
  { accounts, fetch, states, idOf, resourceUpdates }: SessionServices,
  { required, all }: { readonly required: string | undefined; readonly all: readonly [string, ...string[]] },
): Session {
  const usual = required ?? all[0];
  const known = async (provider: string) => {
    if (all.includes(provider)) return provider;
    throw unknownProvider(all);
  };
  const withAccessToken: Session['withAccessToken'] = async (use, options) => {
    const { provider = usual } = parseOptions(
      callSchema,
      options,
      'The options of `withAccessToken` are invalid',
    );
    const { accessToken } = await accounts.accessToken(snapshot, await known(provider));
    return useSecret(accessToken, use);
  };
  return {
    id: idOf(snapshot),
    account: (provider = usual) => handled(known(provider).then((name) => accounts.find(snapshot, name))),
    accounts: () => handled(accounts.list(snapshot)),
    signOut: () => handled(accounts.signOut(snapshot)),
    state: {
      get: () => handled(states.get(snapshot)),
      set: (value, options) => handled(states.set(snapshot, value, options)),
    },
    fetch: (...request) => handled(fetch(snapshot, required, ...request)),
    withAccessToken: (use, options = {}) => handled(withAccessToken(use, options)),
    // `list` rejects after a sign-out: the client may have another user now.
    resourceUpdated: (uri) =>
      handled(accounts.list(snapshot).then(() => resourceUpdates.notify(uri, snapshot.ref))),
  };
}
