import type { RequestOrigin } from '../../access/access.js';
import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import { hasValidLogin, isRefusal } from '../../account/refused-login.js';
import type { Provider } from '../../provider/provider.js';
import { failureIn, type ProviderFailure } from '../../session/provider-failures.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import type { Clock } from '../../time/clock.js';
import { digestOf, isSameDigest } from '../../vault/secret-digest.js';
import {
  attemptKeyOf,
  type LoginAttempt,
  type PendingAttempt,
  type SealedTransaction,
} from '../attempt-record.js';
import type { AttemptStore } from '../attempt-store.js';
import type { FailedLogin, LoginFault, TransactionDigests } from '../login-attempt.js';
import { endedAs, type LoginCompletion } from '../login-completion.js';
import type { LoginDestination } from '../pages/page.js';
import { printableName } from '../printable-name.js';
import {
  Authorization,
  type AuthorizationOptions,
  DEFAULT_CALLBACK_PATH,
  providerCallbackPath,
} from './authorization.js';

export interface BrowserFlowOptions extends AuthorizationOptions {
  readonly attempts: AttemptStore;
  readonly completion: LoginCompletion;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly registry: Pick<SessionRegistry, 'get'>;
  readonly clock: Clock;
}

/** An authorization response, as a browser brings it to a redirect URI (RFC 6749 section 4.1.2). */
export interface AuthorizationResponse {
  /** The path of the redirect URI. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Returns the cookie of a login in this browser, by the digest of the login's id. */
  readonly cookieOf: (attemptDigest: string) => string | undefined;
  /** Returns the cookies of all logins in this browser. */
  readonly cookies: () => readonly string[];
  readonly origin: RequestOrigin;
}

/** The content of the connect page. */
export interface ConnectRequest {
  readonly clientName: string | undefined;
  readonly provider: LoginDestination;
  readonly scopes: readonly string[];
  readonly startedSecondsAgo: number;
  /** Where the user identifies themselves first; absent unless the login's check is `sign-in`. */
  readonly signInAt: LoginDestination | undefined;
}

/** A login that is complete, for the last page. */
export interface CompletedLogin {
  readonly kind: 'authenticated';
  readonly account: string;
  readonly clientName: string | undefined;
}

/** A login that is pending although its provider cannot be used now. */
export interface UnavailableLogin {
  readonly kind: 'unavailable';
  readonly cause: ProviderFailure;
  /** Whether the login before it is still valid. */
  readonly keepsLogin: boolean;
}

/** The result of a consent. */
export type ConsentResult =
  | { readonly kind: 'continue'; readonly url: URL }
  /** The provider cannot be used now; the login is still pending, and the user may consent again. */
  | UnavailableLogin
  | FailedLogin;

/** The result of an authorization response. */
export type CallbackResult =
  | CompletedLogin
  | FailedLogin
  /** The user is the initiator; the browser goes on to the provider. */
  | { readonly kind: 'continue'; readonly url: URL }
  | { readonly kind: 'code'; readonly attemptId: string; readonly code: string }
  /** The browser is not the one that consented; the login has ended. */
  | { readonly kind: 'mismatched' }
  /** The state is missing, unknown or used up. */
  | { readonly kind: 'rejected' };

/** Logins in browsers: from consent to the authorization response. */
export class BrowserFlow {
  readonly #options: BrowserFlowOptions;
  readonly #authorization: Authorization;
  /**
   * The redirect URIs to which browsers bring responses as a form, by path, with the fields of these forms (OAuth 2.0
   * Form Post Response Mode).
   */
  readonly formFields: ReadonlyMap<string, readonly string[]>;

  constructor(options: BrowserFlowOptions) {
    this.#options = options;
    this.#authorization = new Authorization(options);
    const { providers, defaultProvider } = options;
    this.formFields = new Map(
      [...providers].flatMap(([name, { formFields }]) => {
        const path = name === defaultProvider ? DEFAULT_CALLBACK_PATH : providerCallbackPath(name);
        return formFields ? [[path, formFields]] : [];
      }),
    );
  }

  /** The content of the connect page of a link; `undefined` unless the login is pending. */
  async connectRequest(attemptId: string): Promise<ConnectRequest | undefined> {
    const { initiatorVerifier, clock, providerOf } = this.#options;
    const attempt = await this.#pending(attemptId);
    return (
      attempt && {
        clientName: attempt.source.clientName,
        provider: providerOf(attempt.provider),
        scopes: attempt.scopes,
        startedSecondsAgo: Math.round((clock.now() - attempt.startedAtMs) / 1000),
        signInAt: attempt.check === 'sign-in' ? initiatorVerifier.signIn : undefined,
      }
    );
  }

  /** The failure of the login with this link; `undefined` if it did not fail within the last ten minutes. */
  async faultOf(attemptId: string): Promise<LoginFault | undefined> {
    const attempt = await this.#attempt(attemptId);
    return attempt?.outcome && this.#withLogin(attempt, attempt.outcome);
  }

  /**
   * The user consented. An earlier consent to the same login is void.
   * @param cookie the value that the browser keeps and sends with the authorization response
   * @returns `undefined` unless the login is pending
   */
  async consent(attemptId: string, cookie: string): Promise<ConsentResult | undefined> {
    const attempt = await this.#pending(attemptId);
    if (!attempt) return undefined;
    const purpose = attempt.check === 'sign-in' ? 'sign-in' : 'login';
    try {
      const url = await this.#authorization.start(attempt, purpose, digestOf(cookie));
      return url && { kind: 'continue', url };
    } catch (error) {
      const cause = failureIn(error);
      const passes = cause?.outcome === 'unavailable' || cause?.outcome === 'lost';
      if (!passes) return this.#withLogin(attempt, await this.#options.completion.failBy(attempt, error));
      await this.#options.completion.refused(attempt, 'provider_unavailable');
      return { kind: 'unavailable', cause, keepsLogin: await this.#keepsLogin(attempt) };
    }
  }

  /** The user declined. */
  async decline(attemptId: string): Promise<LoginFault> {
    const attempt = await this.#pending(attemptId);
    if (!attempt) return { failure: 'declined' };
    return this.#withLogin(attempt, await this.#options.completion.fail(attempt, 'declined'));
  }

  /** Whether a link belongs to a pending login, or to one that failed within the last ten minutes. */
  async isKnown(attemptId: string): Promise<boolean> {
    return (await this.#attempt(attemptId)) !== undefined;
  }

  /** Whether the state of a response is that of a pending login. */
  async hasState(query: URLSearchParams): Promise<boolean> {
    const attempt = await this.#options.attempts.byState(digestOf(stateOf(query)));
    return attempt !== undefined && openIn(attempt) !== undefined;
  }

  /** Whether the state and cookie of a response are valid. Does not use them up. */
  async isValidResponse(response: Omit<AuthorizationResponse, 'origin'>): Promise<boolean> {
    const attempt = await this.#attemptOf(response);
    return attempt !== undefined && isSameBrowser(transactionIn(attempt), response.cookieOf(attempt.key));
  }

  /** Handles an authorization response. Its state and code are used at most once. */
  async handleCallback(response: AuthorizationResponse): Promise<CallbackResult> {
    const { cookieOf } = response;
    const found = await this.#attemptOf(response);
    const open = found && (await this.#take(found));
    // The response may have come too late, to a login that has failed.
    const result = open
      ? await this.#respond(open, response)
      : endedOf(found && (await this.#options.attempts.get(found.key)), cookieOf);
    return found && result.kind === 'failed' ? this.#withLogin(found, result) : result;
  }

  async #respond(
    { attempt, transaction }: OpenTransaction,
    { path, query, cookieOf, origin }: AuthorizationResponse,
  ): Promise<CallbackResult> {
    const { completion } = this.#options;
    if (!isSameBrowser(transaction, cookieOf(attempt.key))) {
      this.#options.secrets.wipe(transaction.checks);
      await completion.fail(attempt, 'browser_mismatch');
      return { kind: 'mismatched' };
    }
    // A code that came to another authorization server's redirect URI must not be redeemed.
    if (path !== this.#authorization.callbackPathOf(attempt, transaction.purpose)) {
      this.#options.secrets.wipe(transaction.checks);
      return completion.fail(attempt, 'provider_refused');
    }
    try {
      const granted = await this.#authorization.exchange(attempt, transaction, query);
      return transaction.purpose === 'sign-in'
        ? await this.#signedIn(attempt, granted, transaction.cookieDigest)
        : await this.#loggedIn(attempt, granted, origin);
    } catch (error) {
      return completion.failBy(attempt, error);
    }
  }

  /** Whether this is the confirmation code that a login waits for. */
  async isCurrentCode(attemptId: string, code: string): Promise<boolean> {
    const attempt = await this.#attempt(attemptId);
    const unconfirmed = attempt?.outcome ? undefined : attempt?.unconfirmed;
    return unconfirmed !== undefined && isSameDigest(digestOf(code), unconfirmed.codeDigest);
  }

  /** A fault, and whether the login before it is still valid. A browser of another user is not told. */
  async #withLogin<T extends LoginFault>(attempt: LoginAttempt, fault: T): Promise<T> {
    const isTold = isRefusal(fault.failure, true) && (await this.#keepsLogin(attempt));
    return isTold ? { ...fault, keepsLogin: true } : fault;
  }

  /** Whether the session of an attempt has a valid login at its provider. */
  async #keepsLogin({ snapshot, provider }: LoginAttempt): Promise<boolean> {
    const { registry, clock } = this.#options;
    const record = await registry.get(snapshot.ref);
    return record?.epoch === snapshot.epoch && hasValidLogin(record, provider, clock.now());
  }

  async #attempt(attemptId: string): Promise<LoginAttempt | undefined> {
    return this.#options.attempts.get(attemptKeyOf(attemptId));
  }

  /** The attempt of a link; `undefined` if it waits for its confirmation code or uses the device flow. */
  async #pending(attemptId: string): Promise<PendingAttempt | undefined> {
    const attempt = await this.#attempt(attemptId);
    return !attempt || attempt.outcome || attempt.unconfirmed || attempt.isDevice ? undefined : attempt;
  }

  /**
   * The attempt of a response: one with an open transaction, or one that has failed. Some providers send errors without
   * `state`: such an error belongs to the login that this browser has consented to, if there is exactly one at this
   * redirect URI.
   */
  async #attemptOf({
    path,
    query,
    cookies,
  }: Omit<AuthorizationResponse, 'origin'>): Promise<LoginAttempt | undefined> {
    const { attempts } = this.#options;
    if (query.has('state')) {
      const attempt = await attempts.byState(digestOf(stateOf(query)));
      return attempt && transactionIn(attempt) ? attempt : undefined;
    }
    if (!query.has('error')) return undefined;
    const found = await Promise.all(cookies().map((cookie) => attempts.byCookie(digestOf(cookie))));
    const open = found.filter(
      (attempt) =>
        attempt?.transaction !== undefined &&
        this.#authorization.callbackPathOf(attempt, attempt.transaction.purpose) === path,
    );
    return open.length === 1 ? open[0] : undefined;
  }

  /** Takes the open transaction of an attempt, for one caller. Its `state` is valid once. */
  async #take(found: LoginAttempt): Promise<OpenTransaction | undefined> {
    const stateDigest = openIn(found)?.stateDigest;
    if (stateDigest === undefined) return undefined;
    const taken = await this.#options.changes.change(found.key, ({ transaction }) =>
      transaction?.stateDigest === stateDigest ? { transaction: undefined } : undefined,
    );
    const transaction = taken?.before.transaction;
    return taken && transaction && { attempt: taken.after, transaction };
  }

  /** The user has signed in at `access.signIn`. Only the initiator goes on to the provider. */
  async #signedIn(
    attempt: PendingAttempt,
    granted: GrantedTokens,
    cookieDigest: string,
  ): Promise<CallbackResult> {
    const { attempts, completion, initiatorVerifier } = this.#options;
    this.#authorization.discard(attempt, granted);
    if (!initiatorVerifier.isInitiator(attempt.source.initiator, granted.idTokenClaims)) {
      return completion.fail(attempt, 'identity_mismatch');
    }
    const current = await attempts.get(attempt.key);
    // Another browser has consented meanwhile.
    if (current && openIn(current)) return { kind: 'failed', failure: 'superseded' };
    const url = await this.#authorization.start(attempt, 'login', cookieDigest);
    return url ? { kind: 'continue', url } : endedAs(await attempts.get(attempt.key));
  }

  /** The user has logged in at the provider. */
  async #loggedIn(
    attempt: PendingAttempt,
    { idTokenClaims, ...granted }: GrantedTokens,
    origin: RequestOrigin,
  ): Promise<CallbackResult> {
    const { initiatorVerifier, completion } = this.#options;
    switch (attempt.check) {
      case 'same-user':
        return initiatorVerifier.isInitiator(attempt.source.initiator, idTokenClaims)
          ? this.#complete(attempt, granted)
          : completion.reject(attempt, granted, 'identity_mismatch');
      case 'sign-in':
        return this.#complete(attempt, granted);
      case 'none':
        return origin === 'local'
          ? this.#complete(attempt, granted)
          : this.#awaitConfirmation(attempt, granted);
      case 'code':
      case 'unchecked':
        return this.#awaitConfirmation(attempt, granted);
    }
  }

  async #complete(attempt: PendingAttempt, granted: GrantedTokens): Promise<CallbackResult> {
    const outcome = await this.#options.completion.complete(attempt, granted);
    if (outcome.kind === 'failed') return outcome;
    const { subject = '', name = subject } = granted.identity ?? {};
    return { ...outcome, account: printableName(name), clientName: attempt.source.clientName };
  }

  async #awaitConfirmation(attempt: PendingAttempt, granted: GrantedTokens): Promise<CallbackResult> {
    const result = await this.#options.completion.awaitConfirmation(attempt, granted);
    return result.kind === 'code' ? { ...result, attemptId: attempt.id } : result;
  }
}

/** A transaction that was taken, and its attempt. */
interface OpenTransaction {
  readonly attempt: PendingAttempt;
  readonly transaction: SealedTransaction;
}

/** The open transaction of an attempt. */
function openIn(attempt: LoginAttempt): SealedTransaction | undefined {
  return attempt.outcome ? undefined : attempt.transaction;
}

/** The open transaction of a pending attempt, or the last one of a failed attempt. */
function transactionIn(attempt: LoginAttempt): TransactionDigests | undefined {
  return attempt.outcome ? attempt.lastTransaction : attempt.transaction;
}

/** The result of a response to an attempt that has no open transaction. Only the browser that consented last gets it. */
function endedOf(
  attempt: LoginAttempt | undefined,
  cookieOf: AuthorizationResponse['cookieOf'],
): CallbackResult {
  return attempt?.outcome && isSameBrowser(attempt.lastTransaction, cookieOf(attempt.key))
    ? attempt.outcome
    : { kind: 'rejected' };
}

/** Whether the browser with this cookie is the one that consented. */
function isSameBrowser(transaction: TransactionDigests | undefined, cookie: string | undefined): boolean {
  return (
    transaction !== undefined &&
    cookie !== undefined &&
    isSameDigest(digestOf(cookie), transaction.cookieDigest)
  );
}

function stateOf(query: URLSearchParams): string {
  return query.get('state') ?? '';
}
