import type { Accounts, SessionLease } from '../account/accounts.js';
import type { GrantedTokens } from '../account/granted-tokens.js';
import { SessionError, signedOut } from '../errors.js';
import type { Limits } from '../limits/limits.js';
import type { Provider } from '../provider/provider.js';
import { providerFailure } from '../provider/provider-failure.js';
import type { Disposal } from '../session/disposal.js';
import type { SessionRef } from '../session/ids.js';
import type { Lifetimes } from '../session/lifetimes.js';
import type { LoginFailure, SessionEvents } from '../session/session-events.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import { Secret } from '../vault/secret.js';
import type { Vault } from '../vault/vault.js';
import { InertGrants } from './inert-grants.js';
import {
  type BrowserTrip,
  holderOf,
  type LoginAttempt,
  type LoginOrigin,
  type LoginOutcome,
  wipeChecks,
} from './login-attempt.js';
import { LoginAttempts } from './login-attempts.js';
import type { LoginChecks } from './login-checks.js';
import { LoginStarts } from './login-starts.js';
import { LoginWaiters } from './login-waiters.js';
import { digestOf, isSameDigest } from './secret-digest.js';

export interface LoginsOptions {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly checks: LoginChecks;
  readonly accounts: Accounts;
  readonly registry: SessionRegistry;
  readonly disposal: Disposal;
  readonly vault: Vault;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly random: RandomSource;
  readonly lifetimes: Lifetimes;
  readonly limits: Pick<Limits, 'loginStartsPerMinute' | 'pendingLogins'>;
  /** Where browsers reach this server; known once `reachable` has resolved. */
  readonly publicUrl: () => URL;
  /** Makes sure that browsers reach this server. */
  readonly reachable: () => Promise<void>;
}

/** A login that was started, as the session that started it sees it. */
export interface PendingLogin {
  readonly provider: string;
  readonly loginUrl: string;
  readonly expiresInSeconds: number;
  /** The browser is done, and shows a code that the session has to present. */
  readonly needsCode: boolean;
}

/** A login as the call sees it that asked for it. */
export interface StartedLogin extends PendingLogin {
  /** Whether that call started it; if not, it was under way. */
  readonly isNew: boolean;
}

/** What the connect page shows. */
export interface ConnectRequest {
  readonly clientName: string | undefined;
  readonly provider: string;
  readonly scopes: readonly string[];
  readonly startedSecondsAgo: number;
  /** Where the browser has to show first whose it is; absent where that is not asked. */
  readonly signInAt: string | undefined;
}

/** How a browser's return from the provider ended. */
export type CallbackResult =
  | { readonly kind: 'authenticated' }
  /** It has shown whose it is, and goes on to the provider. */
  | { readonly kind: 'continue'; readonly url: URL }
  | { readonly kind: 'code'; readonly attemptId: string; readonly code: string }
  | { readonly kind: 'failed'; readonly failure: LoginFailure }
  /** The state is missing or unknown, or the browser is not the one that consented. */
  | { readonly kind: 'rejected' };

/** Failures that the client has no other way to hear of. */
const HAPPEN_IN_THE_BROWSER: ReadonlySet<LoginFailure> = new Set([
  'declined',
  'browser_mismatch',
  'identity_mismatch',
  'provider_unavailable',
  'provider_refused',
]);

/**
 * Logins from start to finish. The session that starts one and the browser that finishes it are tied
 * together: the browser by a cookie set when its user agreed, the session by a check that depends on how
 * clients are let in.
 */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #attempts: LoginAttempts;
  readonly #starts: LoginStarts;
  readonly #inert: InertGrants;
  readonly #waiters: LoginWaiters;
  /** Failures that the session has not been told of yet. */
  readonly #untold = new Map<SessionRef, Map<string, LoginFailure>>();

  constructor(options: LoginsOptions) {
    this.#options = options;
    const { vault, random, clock, deadlines, limits } = options;
    this.#attempts = new LoginAttempts(deadlines, limits.pendingLogins);
    this.#starts = new LoginStarts({
      perMinute: limits.loginStartsPerMinute,
      clock,
      deadlines,
      events: options.events,
    });
    this.#inert = new InertGrants(vault, random, clock);
    this.#waiters = new LoginWaiters(clock);
    options.events.subscribe((event) => {
      if (event.type !== 'session.signed_out' && event.type !== 'session.ended') return;
      for (const attempt of this.#attempts.allOf(event.ref)) this.#fail(attempt, 'signed_out');
      this.#untold.delete(event.ref);
    });
  }

  /** @throws SessionError `unknown_provider` */
  assertProvider(providerName: string): void {
    this.#provider(providerName);
  }

  /**
   * Makes sure that a provider exists and can be reached.
   * @throws SessionError `unknown_provider`, `provider_unavailable`, `provider_refused`
   */
  async prepare(providerName: string): Promise<void> {
    await this.#provider(providerName).prepare();
  }

  /** @throws SessionError `too_many_requests` if whoever asks may not start another login yet */
  assertMayStart(origin: Omit<LoginOrigin, 'clientName'>): void {
    this.#starts.assertMay(origin);
  }

  /**
   * Starts a login, or returns the one that is under way.
   * @throws SessionError as `prepare` and `assertMayStart`, and `limit_reached`
   */
  async start(lease: SessionLease, providerName: string, origin: LoginOrigin): Promise<StartedLogin> {
    const { clock, events, lifetimes, random, reachable } = this.#options;
    await this.prepare(providerName);
    await reachable();
    const record = await this.#options.registry.get(lease.ref);
    if (record?.epoch !== lease.epoch) throw signedOut();
    const underWay = this.#attempts.of(lease.ref, providerName);
    if (underWay?.lease.epoch === lease.epoch) return { ...this.#describe(underWay), isNew: false };
    this.#starts.count(origin);
    if (underWay) this.#fail(underWay, 'superseded');
    const now = clock.now();
    const attempt: LoginAttempt = {
      id: randomToken(random),
      lease,
      provider: providerName,
      origin,
      check: this.#options.checks.checkOf(origin, this.#provider(providerName)),
      startedAtMs: now,
      expiresAtMs: now + lifetimes.loginAttemptMs,
      trip: undefined,
      inert: undefined,
      outcome: undefined,
    };
    const crowdedOut = this.#attempts.toMakeRoom(holderOf(origin));
    if (crowdedOut) this.#fail(crowdedOut, 'crowded_out');
    this.#attempts.add(attempt, () => this.#fail(attempt, 'expired'));
    events.emit({ type: 'login.started', ref: lease.ref, provider: providerName });
    return { ...this.#describe(attempt), isNew: true };
  }

  /** Whether a login that is started from there has to be confirmed with a code. */
  asksForCode(origin: LoginOrigin, providerName: string): boolean {
    return this.#options.checks.checkOf(origin, this.#provider(providerName)) === 'code';
  }

  /** The login that a session has under way at a provider. */
  pending(ref: SessionRef, provider: string): PendingLogin | undefined {
    const attempt = this.#attempts.of(ref, provider);
    return attempt && this.#describe(attempt);
  }

  /** Why the last login of a session at a provider failed, if its client could not know; said once. */
  takeFailure(ref: SessionRef, provider: string): LoginFailure | undefined {
    const untold = this.#untold.get(ref);
    const failure = untold?.get(provider);
    untold?.delete(provider);
    if (untold?.size === 0) this.#untold.delete(ref);
    return failure;
  }

  /** Gives up the logins that a session has under way, or the one at `provider`. */
  cancel(ref: SessionRef, provider?: string): void {
    for (const attempt of this.#attempts.allOf(ref)) {
      if (provider === undefined || attempt.provider === provider) this.#fail(attempt, 'signed_out');
    }
  }

  /**
   * Waits until the login of a session is over, has got as far as its code, or `timeoutMs` have passed.
   * @returns how it ended; `undefined` while it goes on.
   */
  async settled(
    ref: SessionRef,
    provider: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<LoginOutcome | undefined> {
    const attempt = this.#attempts.of(ref, provider);
    if (!attempt || attempt.inert) return attempt?.outcome;
    await this.#waiters.wait(attempt, timeoutMs, signal);
    return attempt.outcome;
  }

  /** What a browser with this link is asked; `undefined` when there is no such login, or no longer. */
  connectRequest(attemptId: string): ConnectRequest | undefined {
    const attempt = this.#attempts.byId(attemptId);
    if (!attempt || attempt.inert) return undefined;
    return {
      clientName: attempt.origin.clientName,
      provider: attempt.provider,
      scopes: this.#provider(attempt.provider).scopes,
      startedSecondsAgo: Math.round((this.#options.clock.now() - attempt.startedAtMs) / 1000),
      signInAt: attempt.check === 'sign-in' ? this.#options.checks.signIn?.name : undefined,
    };
  }

  /**
   * The user of a browser agreed: sends it on to the provider, or first to where it shows whose it is. The latest
   * browser to agree counts.
   * @param cookie the secret that this browser keeps, and shows when it comes back
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  async consent(attemptId: string, cookie: string): Promise<URL | undefined> {
    const attempt = this.#attempts.byId(attemptId);
    if (!attempt || attempt.inert) return undefined;
    return this.#send(attempt, attempt.check === 'sign-in' ? 'sign-in' : 'login', digestOf(cookie));
  }

  /** The user of a browser declined. */
  decline(attemptId: string): void {
    const attempt = this.#attempts.byId(attemptId);
    if (attempt && !attempt.inert) this.#fail(attempt, 'declined');
  }

  /**
   * A browser came back from the provider. Whatever it brings is used at most once.
   * @param query the parameters it came with
   * @param cookieOf the secret that this browser keeps for an attempt, if any
   * @param isLoopback whether this request, too, came over loopback and nothing else
   */
  async callback(
    query: URLSearchParams,
    cookieOf: (attemptId: string) => string | undefined,
    isLoopback: boolean,
  ): Promise<CallbackResult> {
    const found = this.#attempts.takeByState(query.get('state') ?? '');
    if (!found) return { kind: 'rejected' };
    const { attempt, trip } = found;
    const cookie = cookieOf(attempt.id);
    if (cookie === undefined || !isSameDigest(digestOf(cookie), trip.cookieDigest)) {
      wipeChecks(trip.checks);
      this.#fail(attempt, 'browser_mismatch');
      return { kind: 'rejected' };
    }
    const url = new URL('/callback', this.#options.publicUrl());
    url.search = query.toString();
    try {
      return trip.purpose === 'sign-in'
        ? await this.#signedIn(attempt, trip, url)
        : await this.#loggedIn(attempt, trip, url, isLoopback);
    } finally {
      wipeChecks(trip.checks);
    }
  }

  /** Whether a login waits for this code, so that its page may show it. */
  awaitsCode(attemptId: string, code: string): boolean {
    const inert = this.#attempts.byId(attemptId)?.inert;
    return inert !== undefined && isSameDigest(digestOf(code), inert.codeDigest);
  }

  /**
   * Presents the code that the browser showed.
   * @returns how the login ended; `undefined` when the code is wrong and may be tried again, or none is due.
   */
  async confirm(lease: SessionLease, provider: string, typed: string): Promise<LoginOutcome | undefined> {
    const attempt = this.#attempts.of(lease.ref, provider);
    const inert = attempt?.inert;
    if (!attempt || !inert || attempt.lease.epoch !== lease.epoch) return undefined;
    if (!this.#inert.isRight(inert, typed)) {
      if (inert.triesLeft > 0) return undefined;
      this.#fail(attempt, 'wrong_code');
      return attempt.outcome;
    }
    const granted = this.#inert.take(attempt);
    if (granted) await this.#finish(attempt, granted);
    return attempt.outcome;
  }

  /** @returns where to send a browser; `undefined` if the attempt is over by then */
  async #send(
    attempt: LoginAttempt,
    purpose: BrowserTrip['purpose'],
    cookieDigest: string,
  ): Promise<URL | undefined> {
    const { random, publicUrl } = this.#options;
    const state = randomToken(random);
    const checks = {
      state: Secret.fromString(state),
      nonce: Secret.fromString(randomToken(random)),
      codeVerifier: Secret.fromString(randomToken(random)),
    };
    const provider = this.#providerFor(attempt, purpose);
    const url = await provider.authorizationUrl(new URL('/callback', publicUrl()), checks);
    if (attempt.outcome || attempt.inert) {
      wipeChecks(checks);
      return undefined;
    }
    this.#attempts.setTrip(attempt, { purpose, checks, stateDigest: digestOf(state), cookieDigest });
    return url;
  }

  /** A browser has shown whose it is. If that is who started the login, it goes on to the provider. */
  async #signedIn(attempt: LoginAttempt, trip: BrowserTrip, url: URL): Promise<CallbackResult> {
    const provider = this.#providerFor(attempt, 'sign-in');
    const granted = await this.#exchange(attempt, provider, url, trip);
    if ('kind' in granted) return granted;
    void provider.discard(granted.tokens);
    const { checks } = this.#options;
    if (!checks.isSameUser(attempt.origin.starter, granted.idTokenClaims)) {
      return this.#failed(attempt, 'identity_mismatch');
    }
    // Another browser may have agreed meanwhile, and is on its way.
    if (attempt.trip) return { kind: 'failed', failure: 'superseded' };
    try {
      const onward = await this.#send(attempt, 'login', trip.cookieDigest);
      return onward
        ? { kind: 'continue', url: onward }
        : { kind: 'failed', failure: failureOf(attempt.outcome) ?? 'superseded' };
    } catch (error) {
      return this.#failed(attempt, loginFailureOf(error));
    }
  }

  /** A browser has logged in at the provider. */
  async #loggedIn(
    attempt: LoginAttempt,
    trip: BrowserTrip,
    url: URL,
    isLoopback: boolean,
  ): Promise<CallbackResult> {
    const { checks, disposal } = this.#options;
    const { lease, provider, check, origin } = attempt;
    const answer = await this.#exchange(attempt, this.#providerFor(attempt, 'login'), url, trip);
    if ('kind' in answer) return answer;
    const { idTokenClaims, ...granted } = answer;
    switch (check) {
      case 'same-user':
        if (checks.isSameUser(origin.starter, idTokenClaims)) return this.#finish(attempt, granted);
        void disposal.revoke(lease, provider, granted.tokens);
        return this.#failed(attempt, 'identity_mismatch');
      case 'sign-in':
        return this.#finish(attempt, granted);
      case 'none':
        return isLoopback ? this.#finish(attempt, granted) : this.#awaitCode(attempt, granted);
      case 'code':
        return this.#awaitCode(attempt, granted);
    }
  }

  async #exchange(
    attempt: LoginAttempt,
    provider: Provider,
    url: URL,
    trip: BrowserTrip,
  ): Promise<GrantedTokens | CallbackResult> {
    try {
      return await provider.exchange(url, trip.checks);
    } catch (error) {
      return this.#failed(attempt, loginFailureOf(error));
    }
  }

  async #finish(attempt: LoginAttempt, granted: GrantedTokens): Promise<CallbackResult> {
    if (attempt.outcome) return this.#tooLate(attempt, granted);
    const committed = await this.#options.accounts.commitLogin(attempt.lease, attempt.provider, granted);
    if (!committed) return this.#failed(attempt, 'signed_out');
    const outcome = this.#outcomeOf(attempt);
    if (outcome?.kind === 'failed') {
      // It was given up while it was being committed.
      await this.#options.accounts.remove(attempt.lease.ref, attempt.provider);
      return { kind: 'failed', failure: outcome.failure };
    }
    this.takeFailure(attempt.lease.ref, attempt.provider);
    this.#end(attempt, { kind: 'authenticated' });
    return { kind: 'authenticated' };
  }

  #awaitCode(attempt: LoginAttempt, granted: GrantedTokens): CallbackResult {
    if (attempt.outcome || attempt.inert) return this.#tooLate(attempt, granted);
    this.#attempts.dropTrip(attempt);
    const { code, inert } = this.#inert.put(attempt, granted);
    this.#options.deadlines.at(inert.expiresAtMs, () => {
      if (attempt.inert === inert) this.#fail(attempt, 'expired');
    });
    this.#waiters.wake(attempt);
    return { kind: 'code', attemptId: attempt.id, code };
  }

  /** Read anew: what the compiler knows of an outcome does not hold across an await. */
  #outcomeOf(attempt: LoginAttempt): LoginOutcome | undefined {
    return attempt.outcome;
  }

  /** The attempt was decided while the provider was asked: what came is not wanted any more. */
  #tooLate(attempt: LoginAttempt, granted: GrantedTokens): CallbackResult {
    const { lease, provider, outcome } = attempt;
    void this.#options.disposal.revoke(lease, provider, granted.tokens);
    return { kind: 'failed', failure: failureOf(outcome) ?? 'superseded' };
  }

  #failed(attempt: LoginAttempt, failure: LoginFailure): CallbackResult {
    this.#fail(attempt, failure);
    return { kind: 'failed', failure };
  }

  #fail(attempt: LoginAttempt, failure: LoginFailure): void {
    if (attempt.outcome) return;
    const unused = this.#inert.take(attempt);
    if (unused) void this.#options.disposal.revoke(attempt.lease, attempt.provider, unused.tokens);
    this.#end(attempt, { kind: 'failed', failure });
    const { lease, provider } = attempt;
    if (HAPPEN_IN_THE_BROWSER.has(failure)) {
      const untold = this.#untold.get(lease.ref) ?? new Map<string, LoginFailure>();
      this.#untold.set(lease.ref, untold.set(provider, failure));
    }
    this.#options.events.emit({ type: 'login.failed', ref: lease.ref, provider, failure });
  }

  #end(attempt: LoginAttempt, outcome: LoginOutcome): void {
    attempt.outcome = outcome;
    this.#attempts.remove(attempt);
    this.#waiters.wake(attempt);
  }

  #describe(attempt: LoginAttempt): PendingLogin {
    const { clock, publicUrl } = this.#options;
    const expiresAtMs = attempt.inert?.expiresAtMs ?? attempt.expiresAtMs;
    return {
      provider: attempt.provider,
      loginUrl: new URL(`/connect/${attempt.id}`, publicUrl()).href,
      expiresInSeconds: Math.max(0, Math.round((expiresAtMs - clock.now()) / 1000)),
      needsCode: attempt.inert !== undefined,
    };
  }

  #providerFor(attempt: LoginAttempt, purpose: BrowserTrip['purpose']): Provider {
    const { signIn } = this.#options.checks;
    return purpose === 'sign-in' && signIn ? signIn : this.#provider(attempt.provider);
  }

  #provider(name: string): Provider {
    const { providers } = this.#options;
    const provider = providers.get(name);
    if (provider) return provider;
    const known = [...providers.keys()].join(', ');
    throw new SessionError(
      'unknown_provider',
      `There is no such provider here. The providers are: ${known}.`,
    );
  }
}

function failureOf(outcome: LoginOutcome | undefined): LoginFailure | undefined {
  return outcome?.kind === 'failed' ? outcome.failure : undefined;
}

function loginFailureOf(error: unknown): LoginFailure {
  if (error instanceof SessionError)
    return error.code === 'provider_unavailable' ? error.code : 'provider_refused';
  const { kind } = providerFailure(error);
  if (kind === 'denied') return 'declined';
  return kind === 'unavailable' || kind === 'lost' ? 'provider_unavailable' : 'provider_refused';
}
