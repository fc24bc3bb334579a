import type { Accounts } from '../account/accounts.js';
import { unknownProvider } from '../errors.js';
import type { Limits } from '../limits/limits.js';
import type { Rates } from '../limits/rates.js';
import type { Provider } from '../provider/provider.js';
import type { Disposal } from '../session/disposal.js';
import type { SessionRef } from '../session/ids.js';
import type { Lifetimes } from '../session/lifetimes.js';
import type { Messages } from '../session/messages.js';
import type { SessionMatcher } from '../session/session-administration.js';
import type { InternalEvent, SessionEvents } from '../session/session-events.js';
import type { SessionSnapshot } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';
import type { Vault } from '../vault/vault.js';
import { AttemptChanges } from './attempt-changes.js';
import type { AttemptKey, PendingAttempt } from './attempt-record.js';
import { AttemptSecrets } from './attempt-secrets.js';
import type { AttemptStore } from './attempt-store.js';
import { BrowserFlow } from './browser/flow.js';
import { DeviceFlow } from './device/flow.js';
import type { InitiatorVerifier } from './initiator-verifier.js';
import type { FailedLogin, LoginOutcome, LoginSource } from './login-attempt.js';
import { LoginCompletion, type LoginCompletionOptions } from './login-completion.js';
import { LoginRateLimit } from './login-rate-limit.js';
import { LoginStarts, type StartLoginOptions } from './login-starts.js';
import { LoginWaiters } from './login-waiters.js';
import { type PendingLogin, pendingLoginOf, type StartedLogin } from './pending-login.js';

export interface LoginsOptions {
  readonly attempts: AttemptStore;
  readonly messages: Messages;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly defaultProvider: string;
  readonly initiatorVerifier: InitiatorVerifier;
  readonly accounts: Accounts;
  readonly registry: SessionRegistry;
  readonly disposal: Disposal;
  readonly vault: Vault;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly rates: Rates;
  readonly random: RandomSource;
  readonly lifetimes: Lifetimes;
  readonly limits: Pick<Limits, 'loginStartsPerMinute' | 'loginStartsPerUserPerMinute' | 'pendingLogins'>;
  /** The address at which browsers reach this server; known once `reachable` has resolved. */
  readonly publicUrl: () => URL;
  /** Resolves once browsers can reach this server. */
  readonly reachable: () => Promise<void>;
  readonly onError: (error: unknown) => void;
  /** Called with each login that has ended. Default: not called. */
  readonly onEnded?: LoginCompletionOptions['onEnded'];
}

/**
 * Logins from start to completion. The user who starts a login and the user who completes it must be the same: a cookie
 * set at consent identifies the browser, and a check that depends on the access mode identifies the user
 * (MCP client/elicitation, Phishing).
 */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #changes: AttemptChanges;
  readonly #rateLimit: LoginRateLimit;
  readonly #starts: LoginStarts;
  readonly #waiters: LoginWaiters;
  readonly #completion: LoginCompletion;
  readonly #deviceFlow: DeviceFlow;
  readonly #stopDue: () => void;
  /** Logins in browsers that open the link. */
  readonly browserFlow: BrowserFlow;

  constructor(options: LoginsOptions) {
    this.#options = options;
    const { attempts, messages, vault, random, clock, onError } = options;
    this.#rateLimit = new LoginRateLimit(options);
    this.#changes = new AttemptChanges(attempts, random);
    this.#waiters = new LoginWaiters(messages, clock);
    const state = { changes: this.#changes, secrets: new AttemptSecrets(vault) };
    this.#completion = new LoginCompletion({ ...options, ...state });
    const flow = {
      ...options,
      ...state,
      completion: this.#completion,
      providerOf: (name: string) => this.#provider(name),
    };
    this.#deviceFlow = new DeviceFlow(flow);
    this.#starts = new LoginStarts({ ...flow, deviceFlow: this.#deviceFlow, rateLimit: this.#rateLimit });
    this.browserFlow = new BrowserFlow(flow);
    this.#stopDue = attempts.consumeDue((key) => void this.#runDue(key).catch(onError));
  }

  /** Follows an event. Call it for each one. */
  handleEvent(event: InternalEvent): void {
    this.#completion.handleEvent(event);
  }

  /** @throws SessionError `unknown_provider` */
  assertProvider(providerName: string): void {
    this.#provider(providerName);
  }

  /**
   * Discovers a provider's metadata unless that has been done.
   * @throws SessionError `unknown_provider`, `provider_unavailable`, `provider_refused`
   */
  async prepare(providerName: string): Promise<void> {
    await this.#provider(providerName).prepare();
  }

  /**
   * @throws SessionError `too_many_requests` if the user or address has started too many logins within a minute,
   *   `store_unavailable`
   */
  async assertStartAllowed(source: Omit<LoginSource, 'clientName'>): Promise<void> {
    await this.#rateLimit.assertAllowed(source);
  }

  /**
   * Starts a login, or returns the pending one if it has the requested flow, scopes and claims, and is a renewal if one
   * is requested. Otherwise the new login supersedes the pending one.
   * @throws SessionError as `prepare` and `assertStartAllowed`, `signed_out`, `limit_reached`, `login_failed`
   */
  async start(snapshot: SessionSnapshot, options: StartLoginOptions): Promise<StartedLogin> {
    const { attempt, isNew } = await this.#starts.start(snapshot, options);
    return { ...this.#describe(attempt), isNew };
  }

  /** Whether a login from `source` is complete when its browser is done, without a confirmation code. */
  completesInBrowser(source: LoginSource, providerName: string): boolean {
    return this.#starts.completesInBrowser(source, this.#provider(providerName));
  }

  /** The pending login of a session at a provider. @throws SessionError `store_unavailable` */
  async pending(ref: SessionRef, provider: string): Promise<PendingLogin | undefined> {
    const attempt = await this.#latest(ref, provider);
    return attempt && this.#describe(attempt);
  }

  /**
   * Returns the failure of a session's latest login at a provider, once, if its client does not know it yet.
   * @throws SessionError `store_unavailable`
   */
  takeFailure(snapshot: SessionSnapshot, provider: string): Promise<FailedLogin | undefined> {
    return this.#changes.takeUnreported(snapshot, provider);
  }

  /** The failure that {@link takeFailure} would return. @throws SessionError `store_unavailable` */
  failureOf(snapshot: SessionSnapshot, provider: string): Promise<FailedLogin | undefined> {
    return this.#changes.unreported(snapshot, provider);
  }

  /** Ends the pending logins of a session, or the one at `provider`. @throws SessionError `store_unavailable` */
  async cancel(ref: SessionRef, provider?: string): Promise<void> {
    for (const attempt of await this.#options.attempts.pendingOf(ref)) {
      if (provider === undefined || attempt.provider === provider)
        await this.#completion.fail(attempt, 'signed_out');
    }
  }

  /**
   * Ends the pending login of a session at a provider, so that the next one is new. What an API has demanded is dropped if
   * its user was at the provider, which may have refused it on a page of its own.
   * @throws SessionError `store_unavailable`
   */
  async restart({ ref, epoch }: SessionSnapshot, provider: string): Promise<void> {
    const attempt = await this.#latest(ref, provider);
    if (attempt?.snapshot.epoch === epoch) await this.#completion.fail(attempt, 'canceled');
  }

  /**
   * Discards the tokens of logins that wait for their confirmation code.
   * @returns the sessions of these logins
   * @throws SessionError `store_unavailable`
   */
  async discardUnconfirmed(matches: SessionMatcher): Promise<SessionRef[]> {
    const discarded: SessionRef[] = [];
    for (const attempt of await this.#options.attempts.pending()) {
      const { snapshot, provider, unconfirmed } = attempt;
      if (!unconfirmed?.granted.identity) continue;
      const { identity, openIdSubject, providerSession } = unconfirmed.granted;
      const account = { provider, subject: identity.subject, openIdSubject, providerSession };
      if (!matches(snapshot, [account])) continue;
      await this.#completion.fail(attempt, 'signed_out');
      discarded.push(snapshot.ref);
    }
    return discarded;
  }

  /** Whether another call may wait for the login of a session. @throws SessionError `store_unavailable` */
  async canWait(ref: SessionRef, provider: string): Promise<boolean> {
    const attempt = await this.#latest(ref, provider);
    return attempt !== undefined && this.#waiters.canWait(attempt);
  }

  /**
   * Waits until the login of a session ends or needs a confirmation code, or `timeoutMs` have passed.
   * @returns the outcome; `undefined` while the login is pending
   * @throws SessionError `store_unavailable`
   */
  async waitUntilSettled(
    ref: SessionRef,
    provider: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<LoginOutcome | undefined> {
    const { attempts } = this.#options;
    const latest = await attempts.latest(ref, provider);
    if (!latest || latest.outcome) return latest?.outcome;
    const over = new AbortController();
    const waiting = this.#waiters.wait(latest, timeoutMs, AbortSignal.any([signal, over.signal]));
    try {
      // It may have been settled before the wait began.
      const current = await attempts.get(latest.key);
      if (current && !current.outcome && !current.unconfirmed) await waiting;
    } finally {
      over.abort();
    }
    const attempt = await attempts.get(latest.key);
    // Only an attempt that is complete has no record. The caller looks for the account.
    return attempt ? attempt.outcome : { kind: 'authenticated' };
  }

  /**
   * Presents a confirmation code.
   * @returns the outcome; `undefined` if the code is wrong and another try is left, or if no code is expected
   * @throws SessionError `store_unavailable`; the code may count as a try
   */
  async confirm(
    snapshot: SessionSnapshot,
    provider: string,
    code: string,
  ): Promise<LoginOutcome | undefined> {
    const attempt = await this.#latest(snapshot.ref, provider);
    if (attempt?.snapshot.epoch !== snapshot.epoch) return undefined;
    return this.#completion.confirm(attempt, code);
  }

  /** Resolves the waits of all calls, and later ones at once. */
  stopWaiting(): void {
    this.#waiters.close();
  }

  /** Waits until the logins of sessions that have ended have failed, and the polls in flight have ended. */
  async settled(): Promise<void> {
    await Promise.all([this.#completion.settled(), this.#deviceFlow.settled()]);
  }

  /** From now on, ends no logins that expire, and polls for none. */
  close(): void {
    this.#stopDue();
  }

  async #runDue(key: AttemptKey): Promise<void> {
    const attempt = await this.#completion.expire(key);
    if (attempt) await this.#deviceFlow.runDue(attempt);
  }

  /** The pending login of a session at a provider. */
  async #latest(ref: SessionRef, provider: string): Promise<PendingAttempt | undefined> {
    const attempt = await this.#options.attempts.latest(ref, provider);
    return attempt?.outcome ? undefined : attempt;
  }

  #describe(attempt: PendingAttempt): PendingLogin {
    const { clock, publicUrl } = this.#options;
    return pendingLoginOf(attempt, {
      provider: this.#provider(attempt.provider),
      publicUrl: publicUrl(),
      nowMs: clock.now(),
    });
  }

  #provider(name: string): Provider {
    const { providers } = this.#options;
    const provider = providers.get(name);
    if (provider) return provider;
    throw unknownProvider(providers.keys());
  }
}
