import type { RequestOrigin } from '../../access/access.js';
import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import type { Provider } from '../../provider/provider.js';
import { failureIn, type ProviderFailure } from '../../session/provider-failures.js';
import type { Clock } from '../../time/clock.js';
import { digestOf, isSameDigest } from '../../vault/secret-digest.js';
import type { FailedLogins } from '../failed-logins.js';
import {
  type AuthorizationTransaction,
  endedAs,
  type FailedLogin,
  type LoginAttempt,
  type LoginFault,
  wipeChecks,
} from '../login-attempt.js';
import type { OpenTransaction } from '../login-attempts.js';
import type { LoginCompletion } from '../login-completion.js';
import { type LoginDestination, printableName } from '../pages/page.js';
import {
  Authorization,
  type AuthorizationOptions,
  DEFAULT_CALLBACK_PATH,
  providerCallbackPath,
} from './authorization.js';

export interface BrowserFlowOptions extends AuthorizationOptions {
  readonly failedLogins: FailedLogins;
  readonly completion: LoginCompletion;
  readonly providers: ReadonlyMap<string, Provider>;
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

/** The result of a consent. */
export type ConsentResult =
  | { readonly kind: 'continue'; readonly url: URL }
  /** The provider cannot be used now; the login is still pending, and the user may consent again. */
  | { readonly kind: 'unavailable'; readonly cause: ProviderFailure }
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
  connectRequest(attemptId: string): ConnectRequest | undefined {
    const { initiatorVerifier, clock, providerOf } = this.#options;
    const attempt = this.#pending(attemptId);
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
  faultOf(attemptId: string): LoginFault | undefined {
    return this.#options.failedLogins.faultOf(attemptId);
  }

  /**
   * The user consented. An earlier consent to the same login is void.
   * @param cookie the value that the browser keeps and sends with the authorization response
   * @returns `undefined` unless the login is pending
   */
  async consent(attemptId: string, cookie: string): Promise<ConsentResult | undefined> {
    const attempt = this.#pending(attemptId);
    if (!attempt) return undefined;
    const purpose = attempt.check === 'sign-in' ? 'sign-in' : 'login';
    try {
      const url = await this.#authorization.start(attempt, purpose, digestOf(cookie));
      return url && { kind: 'continue', url };
    } catch (error) {
      const cause = failureIn(error);
      const passes = cause?.outcome === 'unavailable' || cause?.outcome === 'lost';
      return passes ? { kind: 'unavailable', cause } : this.#options.completion.failBy(attempt, error);
    }
  }

  /** The user declined. */
  decline(attemptId: string): void {
    const attempt = this.#pending(attemptId);
    if (attempt) this.#options.completion.fail(attempt, 'declined');
  }

  /** Whether a link belongs to a pending login, or to one that failed within the last ten minutes. */
  isKnown(attemptId: string): boolean {
    return this.#options.attempts.byId(attemptId) !== undefined || this.faultOf(attemptId) !== undefined;
  }

  /** Whether the state of a response is that of a pending login. */
  hasState(query: URLSearchParams): boolean {
    return this.#options.attempts.byState(stateOf(query)) !== undefined;
  }

  /** Whether the state and cookie of a response are valid. Does not use them up. */
  isValidResponse(response: Omit<AuthorizationResponse, 'origin'>): boolean {
    const found = this.#transactionOf(response);
    const { query, cookieOf } = response;
    if (!found) return this.#options.failedLogins.faultOfCallback(stateOf(query), cookieOf) !== undefined;
    return isSameBrowser(found.transaction, cookieOf(digestOf(found.attempt.id)));
  }

  /** Handles an authorization response. Its state and code are used at most once. */
  async handleCallback(response: AuthorizationResponse): Promise<CallbackResult> {
    const { attempts, failedLogins, completion } = this.#options;
    const { path, query, cookieOf } = response;
    const found = this.#transactionOf(response);
    if (!found) {
      const fault = failedLogins.faultOfCallback(stateOf(query), cookieOf);
      return fault ? { ...fault, kind: 'failed' } : { kind: 'rejected' };
    }
    attempts.take(found);
    const { attempt, transaction } = found;
    if (!isSameBrowser(transaction, cookieOf(digestOf(attempt.id)))) {
      wipeChecks(transaction.checks);
      completion.fail(attempt, 'browser_mismatch');
      return { kind: 'mismatched' };
    }
    // A code that came to another authorization server's redirect URI must not be redeemed.
    if (path !== this.#authorization.callbackPathOf(attempt, transaction.purpose)) {
      wipeChecks(transaction.checks);
      return completion.fail(attempt, 'provider_refused');
    }
    try {
      const granted = await this.#authorization.exchange(attempt, transaction, query);
      return transaction.purpose === 'sign-in'
        ? await this.#signedIn(attempt, granted, transaction.cookieDigest)
        : await this.#loggedIn(attempt, granted, response.origin);
    } catch (error) {
      return completion.failBy(attempt, error);
    }
  }

  /** Whether this is the confirmation code that a login waits for. */
  isCurrentCode(attemptId: string, code: string): boolean {
    const unconfirmed = this.#options.attempts.byId(attemptId)?.unconfirmed;
    return unconfirmed !== undefined && isSameDigest(digestOf(code), unconfirmed.codeDigest);
  }

  /** The attempt of a link; `undefined` if it waits for its confirmation code or uses the device flow. */
  #pending(attemptId: string): LoginAttempt | undefined {
    const attempt = this.#options.attempts.byId(attemptId);
    return attempt?.unconfirmed || attempt?.devicePoller ? undefined : attempt;
  }

  /**
   * The open transaction of a response. Some providers send errors without `state`: such an error belongs to the login
   * that this browser has consented to, if there is exactly one at this redirect URI.
   */
  #transactionOf({
    path,
    query,
    cookies,
  }: Omit<AuthorizationResponse, 'origin'>): OpenTransaction | undefined {
    const { attempts } = this.#options;
    if (query.has('state')) return attempts.byState(stateOf(query));
    if (!query.has('error')) return undefined;
    const open = cookies()
      .flatMap((cookie) => attempts.byCookie(cookie) ?? [])
      .filter(
        ({ attempt, transaction }) =>
          this.#authorization.callbackPathOf(attempt, transaction.purpose) === path,
      );
    return open.length === 1 ? open[0] : undefined;
  }

  /** The user has signed in at `access.signIn`. Only the initiator goes on to the provider. */
  async #signedIn(
    attempt: LoginAttempt,
    granted: GrantedTokens,
    cookieDigest: string,
  ): Promise<CallbackResult> {
    const { completion, initiatorVerifier } = this.#options;
    this.#authorization.discard(attempt, granted);
    if (!initiatorVerifier.isInitiator(attempt.source.initiator, granted.idTokenClaims)) {
      return completion.fail(attempt, 'identity_mismatch');
    }
    // Another browser has consented meanwhile.
    if (attempt.transaction) return { kind: 'failed', failure: 'superseded' };
    const url = await this.#authorization.start(attempt, 'login', cookieDigest);
    return url ? { kind: 'continue', url } : endedAs(attempt.outcome);
  }

  /** The user has logged in at the provider. */
  async #loggedIn(
    attempt: LoginAttempt,
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

  async #complete(attempt: LoginAttempt, granted: GrantedTokens): Promise<CallbackResult> {
    const outcome = await this.#options.completion.complete(attempt, granted);
    if (outcome.kind === 'failed') return outcome;
    const { subject = '', name = subject } = granted.identity ?? {};
    return { ...outcome, account: printableName(name), clientName: attempt.source.clientName };
  }

  #awaitConfirmation(attempt: LoginAttempt, granted: GrantedTokens): CallbackResult {
    const result = this.#options.completion.awaitConfirmation(attempt, granted);
    return result.kind === 'code' ? { ...result, attemptId: attempt.id } : result;
  }
}

/** Whether the browser with this cookie is the one that consented. */
function isSameBrowser({ cookieDigest }: AuthorizationTransaction, cookie: string | undefined): boolean {
  return cookie !== undefined && isSameDigest(digestOf(cookie), cookieDigest);
}

function stateOf(query: URLSearchParams): string {
  return query.get('state') ?? '';
}
