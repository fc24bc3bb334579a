import type { Accounts } from '../account/accounts.js';
import { kindOfClaims } from '../account/challenge.js';
import { SessionError, signedOut, unknownProvider } from '../errors.js';
import type { Limits } from '../limits/limits.js';
import type { Rates } from '../limits/rates.js';
import type { Provider } from '../provider/provider.js';
import type { Disposal } from '../session/disposal.js';
import type { SessionRef } from '../session/ids.js';
import type { Lifetimes } from '../session/lifetimes.js';
import type { SessionMatcher } from '../session/session-administration.js';
import type { InternalEvent, LoginFlow, SessionEvents } from '../session/session-events.js';
import type { SessionSnapshot } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { SharedGrants } from '../session/shared-grants.js';
import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';
import { andThen } from '../time/promises.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import type { Vault } from '../vault/vault.js';
import { BrowserFlow } from './browser/flow.js';
import { DeviceFlow } from './device/flow.js';
import { FailedLogins } from './failed-logins.js';
import type { InitiatorVerifier } from './initiator-verifier.js';
import {
  type LoginAttempt,
  type LoginFault,
  type LoginOutcome,
  type LoginSource,
  quotaKeyOf,
} from './login-attempt.js';
import { LoginAttempts } from './login-attempts.js';
import { LoginCompletion } from './login-completion.js';
import { LoginRateLimit } from './login-rate-limit.js';
import { LoginWaiters } from './login-waiters.js';
import { type PendingLogin, pendingLoginOf, type StartedLogin } from './pending-login.js';

export interface LoginsOptions {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly defaultProvider: string;
  readonly initiatorVerifier: InitiatorVerifier;
  readonly accounts: Accounts;
  readonly registry: SessionRegistry;
  readonly disposal: Disposal;
  readonly sharedGrants: Pick<SharedGrants, 'hold'>;
  readonly vault: Vault;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly rates: Rates;
  readonly random: RandomSource;
  readonly lifetimes: Lifetimes;
  readonly limits: Pick<Limits, 'loginStartsPerMinute' | 'loginStartsPerUserPerMinute' | 'pendingLogins'>;
  /** The address at which browsers reach this server; known once `reachable` has resolved. */
  readonly publicUrl: () => URL;
  /** Resolves once browsers can reach this server. */
  readonly reachable: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** The options of a login. */
export interface StartLoginOptions {
  readonly provider: string;
  readonly source: LoginSource;
  /** Default: the flow of the pending login, else the link, unless the provider has the device flow only. */
  readonly flow?: LoginFlow | undefined;
  /** Scopes to request besides the provider's configured ones. Default: none. */
  readonly scopes?: readonly string[] | undefined;
  /** JSON of claims to request (OpenID Connect Core section 5.5). Default: none. */
  readonly claims?: string | undefined;
  /** Renews a login that is valid: what the provider asks the user for. Default: the provider decides. */
  readonly prompt?: LoginAttempt['prompt'];
}

/**
 * Logins from start to completion. The user who starts a login and the user who completes it must be the same: a cookie
 * set at consent identifies the browser, and a check that depends on the access mode identifies the user
 * (MCP client/elicitation, Phishing).
 */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #attempts: LoginAttempts;
  readonly #failedLogins: FailedLogins;
  readonly #rateLimit: LoginRateLimit;
  readonly #waiters: LoginWaiters;
  readonly #completion: LoginCompletion;
  readonly #deviceFlow: DeviceFlow;
  /** Logins in browsers that open the link. */
  readonly browserFlow: BrowserFlow;

  constructor(options: LoginsOptions) {
    this.#options = options;
    const { clock, deadlines, limits } = options;
    this.#rateLimit = new LoginRateLimit(options);
    this.#attempts = new LoginAttempts(deadlines, limits.pendingLogins);
    this.#failedLogins = new FailedLogins(clock);
    this.#waiters = new LoginWaiters(clock);
    const state = { attempts: this.#attempts, failedLogins: this.#failedLogins };
    this.#completion = new LoginCompletion({ ...options, ...state, waiters: this.#waiters });
    this.#deviceFlow = new DeviceFlow({ ...options, ...state, completion: this.#completion });
    this.browserFlow = new BrowserFlow({
      ...options,
      ...state,
      completion: this.#completion,
      providerOf: (name) => this.#provider(name),
    });
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
    const { registry, reachable } = this.#options;
    const { scopes = [], claims, prompt } = options;
    await this.prepare(options.provider);
    const provider = this.#provider(options.provider);
    const flow = flowAt(provider, options.flow);
    if (flow === 'link') await reachable();
    const record = await registry.get(snapshot.ref);
    if (record?.epoch !== snapshot.epoch) throw signedOut();
    const pending = this.#attempts.latest(snapshot.ref, provider.name);
    const hasFlow = options.flow === undefined || flow === (pending?.devicePoller ? 'device' : 'link');
    const hasScopes = scopes.every((scope) => pending?.scopes.includes(scope));
    const hasClaims =
      claims === undefined ||
      (pending?.claims !== undefined && kindOfClaims(claims) === kindOfClaims(pending.claims));
    const isRenewal = prompt === undefined || pending?.prompt !== undefined;
    if (pending?.snapshot.epoch === snapshot.epoch && hasFlow && hasScopes && hasClaims && isRenewal) {
      await this.#deviceFlow.waitForCode(pending);
      return { ...this.#describe(pending), isNew: false };
    }
    this.#attempts.assertSessionCapacity(snapshot.ref, provider.name);
    return andThen(this.#rateLimit.count(options.source), async () => {
      if (pending) this.#completion.fail(pending, 'superseded');
      const attempt = this.#add(snapshot, options, flow, [...provider.scopes, ...scopes]);
      if (flow === 'device') await this.#deviceFlow.start(attempt, provider);
      return { ...this.#describe(attempt), isNew: true };
    });
  }

  /** Whether a login from `source` is complete when its browser is done, without a confirmation code. */
  completesInBrowser(source: LoginSource, providerName: string): boolean {
    const provider = this.#provider(providerName);
    const flow = flowAt(provider, undefined);
    return flow === 'link' && this.#options.initiatorVerifier.checkFor(source, provider, flow) !== 'code';
  }

  /** The pending login of a session at a provider. */
  pending(ref: SessionRef, provider: string): PendingLogin | undefined {
    const attempt = this.#attempts.latest(ref, provider);
    return attempt && this.#describe(attempt);
  }

  /** Returns the failure of a session's latest login at a provider, once, if its client does not know it yet. */
  takeFailure(ref: SessionRef, provider: string): LoginFault | undefined {
    return this.#failedLogins.takeUnreported(ref, provider);
  }

  /** Ends the pending logins of a session, or the one at `provider`. */
  cancel(ref: SessionRef, provider?: string): void {
    for (const attempt of this.#attempts.allOf(ref)) {
      if (provider === undefined || attempt.provider === provider)
        this.#completion.fail(attempt, 'signed_out');
    }
  }

  /** Discards the tokens of logins that wait for their confirmation code. @returns the sessions of these logins */
  discardUnconfirmed(matches: SessionMatcher): SessionRef[] {
    return this.#attempts.all().flatMap((attempt) => {
      const { snapshot, provider, unconfirmed } = attempt;
      if (!unconfirmed?.granted.identity) return [];
      const { identity, openIdSubject, providerSession } = unconfirmed.granted;
      const account = { provider, subject: identity.subject, openIdSubject, providerSession };
      if (!matches(snapshot, [account])) return [];
      this.#completion.fail(attempt, 'signed_out');
      return [snapshot.ref];
    });
  }

  /** Whether another call may wait for the login of a session. */
  canWait(ref: SessionRef, provider: string): boolean {
    const attempt = this.#attempts.latest(ref, provider);
    return attempt !== undefined && this.#waiters.canWait(attempt);
  }

  /**
   * Waits until the login of a session ends or needs a confirmation code, or `timeoutMs` have passed.
   * @returns the outcome; `undefined` while the login is pending
   */
  async waitUntilSettled(
    ref: SessionRef,
    provider: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<LoginOutcome | undefined> {
    const attempt = this.#attempts.latest(ref, provider);
    if (!attempt || attempt.unconfirmed) return attempt?.outcome;
    await this.#waiters.wait(attempt, timeoutMs, signal);
    return attempt.outcome;
  }

  /**
   * Presents a confirmation code.
   * @returns the outcome; `undefined` if the code is wrong and another try is left, or if no code is expected
   */
  async confirm(
    snapshot: SessionSnapshot,
    provider: string,
    code: string,
  ): Promise<LoginOutcome | undefined> {
    const attempt = this.#attempts.latest(snapshot.ref, provider);
    if (attempt?.snapshot.epoch !== snapshot.epoch) return undefined;
    return this.#completion.confirm(attempt, code);
  }

  /** Resolves the waits of all calls, and later ones at once. */
  stopWaiting(): void {
    this.#waiters.close();
  }

  /** Deletes the reasons of failed logins. */
  close(): void {
    this.#failedLogins.clear();
  }

  #add(
    snapshot: SessionSnapshot,
    { provider, source, claims, prompt }: StartLoginOptions,
    flow: LoginFlow,
    scopes: readonly string[],
  ): LoginAttempt {
    const { clock, events, initiatorVerifier, lifetimes, random } = this.#options;
    const startedAtMs = clock.now();
    const check = initiatorVerifier.checkFor(source, this.#provider(provider), flow);
    const attempt: LoginAttempt = {
      id: randomToken(random),
      snapshot,
      provider,
      scopes: [...new Set(scopes)],
      claims,
      prompt,
      source,
      check,
      startedAtMs,
      expiresAtMs: startedAtMs + lifetimes.loginAttemptMs,
      devicePoller: undefined,
      transaction: undefined,
      lastTransaction: undefined,
      unconfirmed: undefined,
      outcome: undefined,
    };
    const evicted = this.#attempts.evictionCandidate(quotaKeyOf(source));
    if (evicted) this.#completion.fail(evicted, 'evicted');
    this.#attempts.add(attempt, () => this.#completion.fail(attempt, 'expired'));
    events.emit({ type: 'login.started', ...snapshot, provider, flow, check });
    return attempt;
  }

  #describe(attempt: LoginAttempt): PendingLogin {
    const { clock, publicUrl } = this.#options;
    return pendingLoginOf(attempt, this.#provider(attempt.provider), publicUrl(), clock.now());
  }

  #provider(name: string): Provider {
    const { providers } = this.#options;
    const provider = providers.get(name);
    if (provider) return provider;
    throw unknownProvider(providers.keys());
  }
}

/** The flow of a login. @param requested default: the link, where there is one */
function flowAt({ name, deviceFlow }: Provider, requested: LoginFlow | undefined): LoginFlow {
  if (deviceFlow === 'only') return 'device';
  if (requested !== 'device' || deviceFlow) return requested ?? 'link';
  throw new SessionError(
    'login_failed',
    `The device flow is not available for the provider "${name}". Call \`login\` without \`flow\` to get a link.`,
  );
}
