import type { Accounts } from '../account/accounts.js';
import { SessionError, signedOut } from '../errors.js';
import type { Limits } from '../limits/limits.js';
import type { Provider } from '../provider/provider.js';
import type { Disposal } from '../session/disposal.js';
import type { SessionRef } from '../session/ids.js';
import type { Lifetimes } from '../session/lifetimes.js';
import type { LoginFailure, LoginFlow, SessionEvents } from '../session/session-events.js';
import type { SessionSnapshot } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import type { Vault } from '../vault/vault.js';
import { BrowserLogins } from './browser/flow.js';
import { DeviceLogins } from './device/device-logins.js';
import { FailedLogins } from './failed-logins.js';
import { type LoginAttempt, type LoginOrigin, type LoginOutcome, quotaKeyOf } from './login-attempt.js';
import { LoginAttempts } from './login-attempts.js';
import type { LoginChecks } from './login-checks.js';
import { LoginCompletion } from './login-completion.js';
import { LoginRateLimit } from './login-rate-limit.js';

export interface LoginsOptions {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly defaultProvider: string;
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
  readonly limits: Pick<Limits, 'loginStartsPerMinute' | 'loginStartsPerUserPerMinute' | 'pendingLogins'>;
  /** Where browsers reach this server; known once `reachable` has resolved. */
  readonly publicUrl: () => URL;
  /** Makes sure that browsers reach this server. */
  readonly reachable: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** A login that was started, as the session that started it sees it. */
export interface PendingLogin {
  readonly provider: string;
  /** The provider's name on the pages of a login. */
  readonly providerName: string;
  /** Where the user logs in. */
  readonly loginUrl: string;
  /** What the user types in there; absent where the link is all. */
  readonly userCode: string | undefined;
  readonly expiresInSeconds: number;
  /** How long it takes, at most, until what the user has just done is known here. */
  readonly knownWithinMs: number;
  /** The browser is done, and shows a code that the session has to present. */
  readonly needsCode: boolean;
}

/** A login as the call sees it that asked for it. */
export interface StartedLogin extends PendingLogin {
  /** Whether that call started it; if not, it was under way. */
  readonly isNew: boolean;
}

/**
 * Logins from start to finish. The session that starts one and the browser that finishes it are tied
 * together: the browser by a cookie set when its user agreed, the session by a check that depends on how
 * clients are let in.
 */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #attempts: LoginAttempts;
  readonly #ended: FailedLogins;
  readonly #starts: LoginRateLimit;
  readonly #endings: LoginCompletion;
  readonly #devices: DeviceLogins;
  /** What the browsers see that follow the links. */
  readonly browsers: BrowserLogins;

  constructor(options: LoginsOptions) {
    this.#options = options;
    const { clock, deadlines, events, limits } = options;
    this.#attempts = new LoginAttempts(deadlines, limits.pendingLogins);
    this.#starts = new LoginRateLimit({ limits, clock, deadlines, events });
    this.#ended = new FailedLogins(clock);
    this.#endings = new LoginCompletion({ ...options, attempts: this.#attempts, ended: this.#ended });
    this.#devices = new DeviceLogins({ ...options, endings: this.#endings });
    this.browsers = new BrowserLogins({
      ...options,
      attempts: this.#attempts,
      ended: this.#ended,
      endings: this.#endings,
      providerOf: (name) => this.#provider(name),
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
   * @param wanted how the user is to log in. Default: as it is under way, else by link, where there is one
   * @throws SessionError as `prepare` and `assertMayStart`, `limit_reached`, `login_failed`
   */
  async start(
    snapshot: SessionSnapshot,
    providerName: string,
    origin: LoginOrigin,
    wanted?: LoginFlow,
  ): Promise<StartedLogin> {
    const { clock, events, lifetimes, random, reachable } = this.#options;
    await this.prepare(providerName);
    const provider = this.#provider(providerName);
    const flow = flowAt(provider, wanted);
    if (flow === 'link') await reachable();
    const record = await this.#options.registry.get(snapshot.ref);
    if (record?.epoch !== snapshot.epoch) throw signedOut();
    const underWay = this.#attempts.of(snapshot.ref, providerName);
    const isAsWanted = wanted === undefined || flow === (underWay?.device ? 'device' : 'link');
    if (underWay?.snapshot.epoch === snapshot.epoch && isAsWanted) {
      await this.#devices.begun(underWay);
      return { ...this.#describe(underWay), isNew: false };
    }
    this.#attempts.assertRoomIn(snapshot.ref, providerName);
    this.#starts.count(origin);
    if (underWay) this.#endings.fail(underWay, 'superseded');
    const now = clock.now();
    const attempt: LoginAttempt = {
      id: randomToken(random),
      snapshot,
      provider: providerName,
      origin,
      check: this.#options.checks.checkOf(origin, provider, flow),
      startedAtMs: now,
      expiresAtMs: now + lifetimes.loginAttemptMs,
      device: undefined,
      trip: undefined,
      lastTrip: undefined,
      inert: undefined,
      outcome: undefined,
    };
    const crowdedOut = this.#attempts.toMakeRoom(quotaKeyOf(origin));
    if (crowdedOut) this.#endings.fail(crowdedOut, 'crowded_out');
    this.#attempts.add(attempt, () => this.#endings.fail(attempt, 'expired'));
    const { check } = attempt;
    events.emit({ type: 'login.started', ref: snapshot.ref, provider: providerName, flow, check });
    if (flow === 'device') await this.#devices.begin(attempt, provider);
    return { ...this.#describe(attempt), isNew: true };
  }

  /** Whether a login that is started from there is over when its browser is done, and needs no code besides. */
  endsInBrowser(origin: LoginOrigin, providerName: string): boolean {
    const provider = this.#provider(providerName);
    const flow = flowAt(provider, undefined);
    return flow === 'link' && this.#options.checks.checkOf(origin, provider, flow) !== 'code';
  }

  /** The login that a session has under way at a provider. */
  pending(ref: SessionRef, provider: string): PendingLogin | undefined {
    const attempt = this.#attempts.of(ref, provider);
    return attempt && this.#describe(attempt);
  }

  /** Why the last login of a session at a provider failed, if its client could not know; said once. */
  takeFailure(ref: SessionRef, provider: string): LoginFailure | undefined {
    return this.#endings.takeFailure(ref, provider);
  }

  /** Gives up the logins that a session has under way, or the one at `provider`. */
  cancel(ref: SessionRef, provider?: string): void {
    for (const attempt of this.#attempts.allOf(ref)) {
      if (provider === undefined || attempt.provider === provider) this.#endings.fail(attempt, 'signed_out');
    }
  }

  /** Whether another call may wait for the login of a session. Those that may not are answered at once. */
  mayWait(ref: SessionRef, provider: string): boolean {
    const attempt = this.#attempts.of(ref, provider);
    return attempt !== undefined && this.#endings.mayWait(attempt);
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
    await this.#endings.wait(attempt, timeoutMs, signal);
    return attempt.outcome;
  }

  /**
   * Presents the code that the browser showed.
   * @returns how the login ended; `undefined` when the code is wrong and may be tried again, or none is due.
   */
  async confirm(
    snapshot: SessionSnapshot,
    provider: string,
    typed: string,
  ): Promise<LoginOutcome | undefined> {
    const attempt = this.#attempts.of(snapshot.ref, provider);
    if (attempt?.snapshot.epoch !== snapshot.epoch) return undefined;
    return this.#endings.confirm(attempt, typed);
  }

  /** Makes calls that wait for a login answer at once with its status, now and in future. */
  stopWaiting(): void {
    this.#endings.stopWaiting();
  }

  /** Forgets how logins ended. */
  close(): void {
    this.#ended.clear();
  }

  #describe(attempt: LoginAttempt): PendingLogin {
    const { clock, publicUrl } = this.#options;
    const { device } = attempt;
    const expiresAtMs =
      attempt.inert?.expiresAtMs ?? Math.min(attempt.expiresAtMs, device?.expiresAtMs ?? Infinity);
    return {
      provider: attempt.provider,
      providerName: this.#provider(attempt.provider).displayName,
      loginUrl: device?.verificationUri ?? new URL(`./connect/${attempt.id}`, publicUrl()).href,
      userCode: device?.userCode,
      knownWithinMs: device?.knownWithinMs ?? 0,
      expiresInSeconds: Math.max(0, Math.round((expiresAtMs - clock.now()) / 1000)),
      needsCode: attempt.inert !== undefined,
    };
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

function flowAt({ name, deviceFlow }: Provider, wanted: LoginFlow | undefined): LoginFlow {
  if (deviceFlow === 'only') return 'device';
  if (wanted !== 'device' || deviceFlow) return wanted ?? 'link';
  throw new SessionError(
    'login_failed',
    `"${name}" gives out no codes here. Call \`login\` without \`flow\` to get a link.`,
  );
}
