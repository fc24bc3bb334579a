import type { RequestOrigin } from '../../access/access.js';
import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import { SessionError } from '../../errors.js';
import type { Provider } from '../../provider/provider.js';
import { providerFailure } from '../../provider/provider-failure.js';
import type { LoginFailure } from '../../session/session-events.js';
import type { Clock } from '../../time/clock.js';
import { type RandomSource, randomToken } from '../../vault/random.js';
import { Secret } from '../../vault/secret.js';
import { digestOf, isSameDigest } from '../../vault/secret-digest.js';
import type { FailedLogins } from '../failed-logins.js';
import {
  type AuthorizationTransaction,
  type FailedLogin,
  type LoginAttempt,
  wipeChecks,
} from '../login-attempt.js';
import type { LoginAttempts } from '../login-attempts.js';
import type { LoginChecks } from '../login-checks.js';
import { failureOf, type LoginCompletion } from '../login-completion.js';
import { type LoginDestination, placeAt } from '../login-destination.js';
import { shownName } from '../pages/shown-name.js';
import { DEFAULT_CALLBACK_PATH, providerCallbackPath, SIGN_IN_CALLBACK_PATH } from './callback-paths.js';

export interface BrowserLoginsOptions {
  readonly attempts: LoginAttempts;
  readonly ended: FailedLogins;
  readonly endings: LoginCompletion;
  readonly checks: LoginChecks;
  readonly providerOf: (name: string) => Provider;
  /** The name of the provider whose redirect URI is `/callback`. */
  readonly defaultProvider: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly publicUrl: () => URL;
}

/** A browser's return from an authorization server. */
export interface BrowserReturn {
  /** The path of the redirect URI that the browser was sent to. */
  readonly path: string;
  /** The query parameters of the response. */
  readonly query: URLSearchParams;
  /** Returns the cookie of a login in this browser, by the digest of the login's id. */
  readonly cookieOf: (attemptDigest: string) => string | undefined;
  readonly origin: RequestOrigin;
}

/** What the connect page shows. */
export interface ConnectRequest {
  readonly clientName: string | undefined;
  readonly provider: LoginDestination;
  readonly scopes: readonly string[];
  readonly startedSecondsAgo: number;
  /** Where the browser has to show first whose it is; absent where that is not asked. */
  readonly signInAt: LoginDestination | undefined;
}

/** A login that worked out: as whom, and for a client that calls itself what. */
export interface FinishedLogin {
  readonly kind: 'authenticated';
  readonly account: string;
  readonly clientName: string | undefined;
}

/** How a browser's return from the provider ended. */
export type CallbackResult =
  | FinishedLogin
  | FailedLogin
  /** It has shown whose it is, and goes on to the provider. */
  | { readonly kind: 'continue'; readonly url: URL }
  | { readonly kind: 'code'; readonly attemptId: string; readonly code: string }
  /** The browser is not the one that consented, so the login was stopped. */
  | { readonly kind: 'mismatched' }
  /** The state is missing, unknown or used up. */
  | { readonly kind: 'rejected' };

/** Logins as the browsers see them that follow their links: from consent to the way back from the provider. */
export class BrowserLogins {
  readonly #options: BrowserLoginsOptions;

  constructor(options: BrowserLoginsOptions) {
    this.#options = options;
  }

  /** What a browser with this link is asked; `undefined` when there is no such login, or no longer. */
  connectRequest(attemptId: string): ConnectRequest | undefined {
    const { checks, clock, providerOf } = this.#options;
    const attempt = this.#open(attemptId);
    if (!attempt) return undefined;
    const provider = providerOf(attempt.provider);
    return {
      clientName: attempt.origin.clientName,
      provider: placeAt(provider),
      scopes: provider.scopes,
      startedSecondsAgo: Math.round((clock.now() - attempt.startedAtMs) / 1000),
      signInAt: attempt.check === 'sign-in' && checks.signIn ? placeAt(checks.signIn) : undefined,
    };
  }

  /** Why the login of a link failed; `undefined` when it did not, or that is long ago. */
  failureOf(attemptId: string): LoginFailure | undefined {
    return this.#options.ended.failureOf(attemptId);
  }

  /**
   * The user of a browser agreed: sends it on to the provider, or first to where it shows whose it is. The latest
   * browser to agree counts.
   * @param cookie the secret that this browser keeps, and shows when it comes back
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async consent(attemptId: string, cookie: string): Promise<URL | undefined> {
    const attempt = this.#open(attemptId);
    if (!attempt) return undefined;
    return this.#send(attempt, attempt.check === 'sign-in' ? 'sign-in' : 'login', digestOf(cookie));
  }

  /** The user of a browser declined. */
  decline(attemptId: string): void {
    const attempt = this.#open(attemptId);
    if (attempt) this.#options.endings.fail(attempt, 'declined');
  }

  /** Whether a link belongs to a pending login, or to an ended one that is still remembered. */
  isKnown(attemptId: string): boolean {
    const { attempts, ended } = this.#options;
    return attempts.byId(attemptId) !== undefined || ended.failureOf(attemptId) !== undefined;
  }

  /** Whether the state and cookie of a callback are valid. Does not use them up. */
  isExpected({ query, cookieOf }: Pick<BrowserReturn, 'query' | 'cookieOf'>): boolean {
    const { attempts, ended } = this.#options;
    const state = query.get('state') ?? '';
    const found = attempts.byState(state);
    if (!found) return ended.failureAfter(state, cookieOf) !== undefined;
    return isSameBrowser(found.trip, cookieOf(digestOf(found.attempt.id)));
  }

  /** Handles the return of a browser from an authorization server. State and code are used at most once. */
  async callback({ path, query, cookieOf, origin }: BrowserReturn): Promise<CallbackResult> {
    const { attempts, ended, endings, publicUrl } = this.#options;
    const state = query.get('state') ?? '';
    const found = attempts.takeByState(state);
    if (!found) {
      const failure = ended.failureAfter(state, cookieOf);
      return failure ? { kind: 'failed', failure } : { kind: 'rejected' };
    }
    const { attempt, trip } = found;
    if (!isSameBrowser(trip, cookieOf(digestOf(attempt.id)))) {
      wipeChecks(trip.checks);
      endings.fail(attempt, 'browser_mismatch');
      return { kind: 'mismatched' };
    }
    // The response came to another authorization server's redirect URI, so the code must not be redeemed.
    if (path !== this.#callbackPathOf(attempt, trip.purpose)) {
      wipeChecks(trip.checks);
      return endings.fail(attempt, 'provider_refused');
    }
    const url = new URL(`.${path}`, publicUrl());
    url.search = query.toString();
    try {
      return trip.purpose === 'sign-in'
        ? await this.#signedIn(attempt, trip, url)
        : await this.#loggedIn(attempt, trip, url, origin);
    } finally {
      wipeChecks(trip.checks);
    }
  }

  /** Whether a login waits for this code, so that its page may show it. */
  awaitsCode(attemptId: string, code: string): boolean {
    const inert = this.#options.attempts.byId(attemptId)?.inert;
    return inert !== undefined && isSameDigest(digestOf(code), inert.codeDigest);
  }

  /** The attempt of a link, unless a browser has finished it already, or it has no link. */
  #open(attemptId: string): LoginAttempt | undefined {
    const attempt = this.#options.attempts.byId(attemptId);
    return attempt?.inert || attempt?.device ? undefined : attempt;
  }

  /** @returns where to send a browser; `undefined` if the attempt is over by then */
  async #send(
    attempt: LoginAttempt,
    purpose: AuthorizationTransaction['purpose'],
    cookieDigest: string,
  ): Promise<URL | undefined> {
    const { attempts, random, publicUrl } = this.#options;
    const state = randomToken(random);
    const checks = {
      state: Secret.fromString(state),
      nonce: Secret.fromString(randomToken(random)),
      codeVerifier: Secret.fromString(randomToken(random)),
    };
    const provider = this.#providerFor(attempt, purpose);
    const redirectUri = new URL(`.${this.#callbackPathOf(attempt, purpose)}`, publicUrl());
    const url = await provider.authorizationUrl(redirectUri, checks);
    if (attempt.outcome || attempt.inert) {
      wipeChecks(checks);
      return undefined;
    }
    attempts.setTrip(attempt, { purpose, checks, stateDigest: digestOf(state), cookieDigest });
    return url;
  }

  /** A browser has shown whose it is. If that is who started the login, it goes on to the provider. */
  async #signedIn(attempt: LoginAttempt, trip: AuthorizationTransaction, url: URL): Promise<CallbackResult> {
    const { checks, endings } = this.#options;
    const provider = this.#providerFor(attempt, 'sign-in');
    const granted = await this.#exchange(attempt, provider, url, trip);
    if ('kind' in granted) return granted;
    void provider.discard(granted.tokens);
    if (!checks.isSameUser(attempt.origin.initiator, granted.idTokenClaims)) {
      return endings.fail(attempt, 'identity_mismatch');
    }
    // Another browser may have agreed meanwhile, and is on its way.
    if (attempt.trip) return { kind: 'failed', failure: 'superseded' };
    try {
      const onward = await this.#send(attempt, 'login', trip.cookieDigest);
      return onward
        ? { kind: 'continue', url: onward }
        : { kind: 'failed', failure: failureOf(attempt.outcome) ?? 'superseded' };
    } catch (error) {
      return endings.fail(attempt, loginFailureOf(error));
    }
  }

  /** A browser has logged in at the provider. */
  async #loggedIn(
    attempt: LoginAttempt,
    trip: AuthorizationTransaction,
    url: URL,
    origin: RequestOrigin,
  ): Promise<CallbackResult> {
    const { checks, endings } = this.#options;
    const answer = await this.#exchange(attempt, this.#providerFor(attempt, 'login'), url, trip);
    if ('kind' in answer) return answer;
    const { idTokenClaims, ...granted } = answer;
    switch (attempt.check) {
      case 'same-user':
        return checks.isSameUser(attempt.origin.initiator, idTokenClaims)
          ? this.#finish(attempt, granted)
          : endings.refuse(attempt, granted, 'identity_mismatch');
      case 'sign-in':
        return this.#finish(attempt, granted);
      case 'none':
        return origin === 'local' ? this.#finish(attempt, granted) : this.#awaitCode(attempt, granted);
      case 'code':
      case 'unchecked':
        return this.#awaitCode(attempt, granted);
    }
  }

  async #finish(attempt: LoginAttempt, granted: GrantedTokens): Promise<CallbackResult> {
    const outcome = await this.#options.endings.finish(attempt, granted);
    if (outcome.kind === 'failed') return outcome;
    const { subject = '', name = subject } = granted.identity ?? {};
    return { ...outcome, account: shownName(name), clientName: attempt.origin.clientName };
  }

  #awaitCode(attempt: LoginAttempt, granted: GrantedTokens): CallbackResult {
    const result = this.#options.endings.awaitCode(attempt, granted);
    return result.kind === 'code' ? { ...result, attemptId: attempt.id } : result;
  }

  async #exchange(
    attempt: LoginAttempt,
    provider: Provider,
    url: URL,
    trip: AuthorizationTransaction,
  ): Promise<GrantedTokens | CallbackResult> {
    try {
      return await provider.exchange(url, trip.checks);
    } catch (error) {
      return this.#options.endings.fail(attempt, loginFailureOf(error));
    }
  }

  #callbackPathOf({ provider }: LoginAttempt, purpose: AuthorizationTransaction['purpose']): string {
    if (purpose === 'sign-in') return SIGN_IN_CALLBACK_PATH;
    return provider === this.#options.defaultProvider
      ? DEFAULT_CALLBACK_PATH
      : providerCallbackPath(provider);
  }

  #providerFor(attempt: LoginAttempt, purpose: AuthorizationTransaction['purpose']): Provider {
    const { checks, providerOf } = this.#options;
    return purpose === 'sign-in' && checks.signIn ? checks.signIn : providerOf(attempt.provider);
  }
}

/** Whether the browser with this cookie is the one that agreed. */
function isSameBrowser({ cookieDigest }: AuthorizationTransaction, cookie: string | undefined): boolean {
  return cookie !== undefined && isSameDigest(digestOf(cookie), cookieDigest);
}

function loginFailureOf(error: unknown): LoginFailure {
  if (error instanceof SessionError)
    return error.code === 'provider_unavailable' ? error.code : 'provider_refused';
  const { kind } = providerFailure(error);
  if (kind === 'denied') return 'declined';
  return kind === 'unavailable' || kind === 'lost' ? 'provider_unavailable' : 'provider_refused';
}
