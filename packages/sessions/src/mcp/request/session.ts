import { z } from 'zod';
import type { Account, Accounts } from '../../account/accounts.js';
import { demandedClaims, MAX_DEMANDED_SCOPES, MAX_SCOPE_LENGTH } from '../../account/challenge.js';
import type { GivenTokens, SessionFetch } from '../../account/session-fetch.js';
import type { SessionState, SessionStates } from '../../account/session-state.js';
import type { TokenRejections } from '../../account/token-rejection.js';
import { SessionError, unknownProvider } from '../../errors.js';
import { parseOptions, SCOPE_TOKEN } from '../../parse-options.js';
import { stepUpUseless } from '../../session/account-errors.js';
import type { SessionRef } from '../../session/ids.js';
import type { SessionSnapshot } from '../../session/session-record.js';
import { handled } from '../../time/promises.js';
import { useSecret } from '../../vault/secret.js';

/** Options of `session.withAccessToken`. */
export interface SessionCallOptions<ProviderName extends string = string> {
  /** The provider of the account. Default: that of the handler's `requireLogin`, else the first configured one. */
  readonly provider?: ProviderName;
}

/** What a tool says about an access token that an API has rejected. */
export interface TokenRejection<ProviderName extends string = string> {
  /** The provider of the account. Default: that of the handler's `requireLogin`, else the first configured one. */
  readonly provider?: ProviderName;
  /** The scopes that the API requires, at most 20. Default: none */
  readonly scopes?: readonly string[];
  /**
   * The claims that the API requires (OpenID Connect Core section 5.5): JSON of an object, or its base64 as in a claims
   * challenge of Microsoft Entra ID. At most 4,096 bytes. Default: none
   */
  readonly claims?: string;
}

/**
 * The session of the current request. It belongs to one person: the login of another user is a sign-out, too. After a
 * sign-out its methods reject with `signed_out`, also if a tool has kept the object. A rejection that nothing awaits
 * does not end the process.
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
   * `fetch` in the name of the logged-in user, for any API client that takes a `fetch`. Adds the access token,
   * refreshed if necessary, to requests to the `apiOrigins` of a provider: that of the handler's `requireLogin`, if the
   * URL is among its `apiOrigins`, else the first provider with that origin. A redirect to another origin is followed
   * with a GET without the token, the headers and the body. The body of a `Request` is read into memory before it is
   * sent.
   *
   * A 401 because of the token renews the token and repeats the request, once. A 401 or 403 that requires scopes or
   * claims (`insufficient_scope`, RFC 6750 section 3.1; `insufficient_claims`) throws `login_required`, and the next
   * `login` requests them. If the login has them already, the response is returned.
   * @throws SessionError `login_required`, `reauthentication_required`, `provider_unavailable`, `provider_refused`,
   * `origin_not_allowed`, `signed_out`
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Calls `use` with a fresh access token, for what `fetch` cannot do. Do not keep the token: it is refreshed and
   * revoked independently of this call.
   * @throws SessionError as `fetch`, `unknown_provider`, and `configuration` for an unknown option; also the errors of
   * `use`, or a TypeError in place of one that contains the token
   */
  withAccessToken<T>(
    use: (accessToken: string) => Promise<T>,
    options?: SessionCallOptions<ProviderName>,
  ): Promise<T>;
  /**
   * Tells that an API has rejected the access token in a way that `fetch` does not see: a 403, an error in a 200, or a
   * call with `withAccessToken`. Renews the token that this request was given last, once, so that the tool may repeat
   * its call. If the renewed token is rejected, too, the login has to be renewed. With `scopes` or `claims`, the next
   * `login` requests them.
   * @throws SessionError `reauthentication_required`; `login_required` with `scopes` or `claims`;
   * `provider_unavailable` or `provider_refused` if the token cannot be renewed now; `signed_out`, `unknown_provider`,
   * and `configuration` for an invalid option
   */
  tokenRejected(rejection?: TokenRejection<ProviderName>): Promise<void>;
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

/** Passes changes of resources on to the connections and streams of both eras, at all nodes. */
export class ResourceUpdates {
  /** Tells other nodes of a change at this one. */
  tellOthers: (uri: string, session: SessionSnapshot | undefined) => void = () => undefined;
  readonly #listeners: ResourceUpdateListener[] = [];

  /** @param listener called for each change; it notifies the clients that have subscribed to the resource */
  subscribe(listener: ResourceUpdateListener): void {
    this.#listeners.push(listener);
  }

  /** Notifies the clients of all nodes. @param session Default: all sessions */
  notify(uri: string, session?: SessionSnapshot): void {
    this.notifyHere(uri, session?.ref);
    this.tellOthers(uri, session);
  }

  /** Notifies the clients of this node. @param session Default: all sessions */
  notifyHere(uri: string, session?: SessionRef): void {
    for (const listener of this.#listeners) listener(uri, session);
  }
}

const callSchema = z.strictObject({
  provider: z.string().optional(),
} satisfies Record<keyof SessionCallOptions, z.ZodType>);

const rejectionSchema = z.strictObject({
  provider: z.string().optional(),
  scopes: z
    .array(z.string().max(MAX_SCOPE_LENGTH).regex(SCOPE_TOKEN, 'is not a scope token (RFC 6749 section 3.3)'))
    .max(MAX_DEMANDED_SCOPES)
    .optional(),
  claims: z
    .string()
    .transform((text, { addIssue }) => {
      const claims = demandedClaims(text);
      if (claims === undefined) addIssue('must be JSON of an object, at most 4,096 bytes');
      return claims;
    })
    .optional(),
} satisfies Record<keyof TokenRejection, z.ZodType>);

/** What sessions are made of. */
export interface SessionServices {
  readonly accounts: Accounts;
  readonly rejections: TokenRejections;
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
    tokenRejected: refuse,
    resourceUpdated: refuse,
    state: { get: refuse, set: refuse },
  };
}

/** The request that a session belongs to. */
export interface SessionRequest {
  /** The provider of `requireLogin`. */
  readonly required: string | undefined;
  /** The names of all providers. */
  readonly all: readonly [string, ...string[]];
  readonly given: GivenTokens;
}

/** The session that a request names. */
export function liveSession(
  snapshot: SessionSnapshot,
  { accounts, rejections, fetch, states, idOf, resourceUpdates }: SessionServices,
  { required, all, given }: SessionRequest,
): Session {
  const usual = required ?? all[0];
  const known = (provider: string) => {
    if (all.includes(provider)) return provider;
    throw unknownProvider(all);
  };
  const withAccessToken: Session['withAccessToken'] = async (use, options) => {
    const { provider = usual } =
      options === undefined
        ? {}
        : parseOptions(callSchema, options, 'The options of `withAccessToken` are invalid');
    const { accessToken, generation } = await accounts.accessToken(snapshot, known(provider));
    given.set(provider, generation);
    return useSecret(accessToken, use);
  };
  const tokenRejected: Session['tokenRejected'] = async (rejection) => {
    const {
      provider = usual,
      scopes,
      claims,
    } = parseOptions(rejectionSchema, rejection, 'The options of `tokenRejected` are invalid');
    known(provider);
    if (!scopes?.length && claims === undefined)
      return rejections.renew(snapshot, provider, given.get(provider));
    throw (await rejections.demand(snapshot, provider, { scopes, claims })) ?? stepUpUseless(provider);
  };
  const account = async (provider: string) => accounts.find(snapshot, known(provider));
  return {
    id: idOf(snapshot),
    account: (provider = usual) => handled(account(provider)),
    accounts: () => handled(accounts.list(snapshot)),
    signOut: () => handled(accounts.signOut(snapshot)),
    state: {
      get: () => handled(states.get(snapshot)),
      set: (value, options) => handled(states.set(snapshot, value, options)),
    },
    fetch: (...request) => handled(fetch({ snapshot, preferred: required, given }, ...request)),
    withAccessToken: (use, options) => handled(withAccessToken(use, options)),
    tokenRejected: (rejection = {}) => handled(tokenRejected(rejection)),
    // `list` rejects after a sign-out: the client may have another user now.
    resourceUpdated: (uri) =>
      handled(accounts.list(snapshot).then(() => resourceUpdates.notify(uri, snapshot))),
  };
}
