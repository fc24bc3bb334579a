import { kindOfClaims } from '../account/challenge.js';
import { SessionError, signedOut } from '../errors.js';
import type { Limits } from '../limits/limits.js';
import type { Provider } from '../provider/provider.js';
import type { SessionRef } from '../session/ids.js';
import type { Lifetimes } from '../session/lifetimes.js';
import type { LoginFlow, SessionEvents } from '../session/session-events.js';
import type { SessionSnapshot } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import { currentTraceparent } from '../telemetry/trace-context.js';
import type { Clock } from '../time/clock.js';
import { type RandomSource, randomToken } from '../vault/random.js';
import type { AttemptChanges } from './attempt-changes.js';
import { type AttemptKey, attemptKeyOf, type PendingAttempt } from './attempt-record.js';
import type { AttemptStore } from './attempt-store.js';
import { type DeviceFlow, MAX_START_MS } from './device/flow.js';
import type { InitiatorVerifier } from './initiator-verifier.js';
import { type LoginSource, quotaKeyOf } from './login-attempt.js';
import type { LoginCompletion } from './login-completion.js';
import type { LoginRateLimit } from './login-rate-limit.js';

/** The maximum number of pending logins of one session. */
const MAX_PER_SESSION = 3;

export interface LoginStartsOptions {
  readonly attempts: AttemptStore;
  readonly changes: AttemptChanges;
  readonly completion: LoginCompletion;
  readonly deviceFlow: DeviceFlow;
  readonly rateLimit: LoginRateLimit;
  readonly initiatorVerifier: InitiatorVerifier;
  /** @throws SessionError `unknown_provider` */
  readonly providerOf: (name: string) => Provider;
  readonly registry: Pick<SessionRegistry, 'get'>;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly lifetimes: Lifetimes;
  readonly limits: Pick<Limits, 'pendingLogins'>;
  /** Resolves once browsers can reach this server. */
  readonly reachable: () => Promise<void>;
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
  readonly prompt?: PendingAttempt['prompt'];
}

/** The pending attempt that a call to start one has led to. */
export interface StartedAttempt {
  readonly attempt: PendingAttempt;
  /** Whether this call has started it; `false` if it was pending before. */
  readonly isNew: boolean;
}

/** Starts logins, within the limits for sessions, users and this server. */
export class LoginStarts {
  readonly #options: LoginStartsOptions;

  constructor(options: LoginStartsOptions) {
    this.#options = options;
  }

  /**
   * Starts a login, or returns the pending one if it has the requested flow, scopes and claims, and is a renewal if one
   * is requested. Otherwise the new login supersedes the pending one.
   * @throws SessionError as `Provider.prepare`, `too_many_requests`, `signed_out`, `limit_reached`, `login_failed`,
   * `store_unavailable`
   */
  async start(snapshot: SessionSnapshot, options: StartLoginOptions): Promise<StartedAttempt> {
    const { attempts, registry, deviceFlow, rateLimit, providerOf, reachable } = this.#options;
    const provider = providerOf(options.provider);
    await provider.prepare();
    const flow = flowAt(provider, options.flow);
    if (flow === 'link') await reachable();
    const record = await registry.get(snapshot.ref);
    if (record?.epoch !== snapshot.epoch) throw signedOut();
    let isCounted = false;
    // Another call may start a login in the meantime, which is the pending one then.
    for (;;) {
      const latest = await attempts.latest(snapshot.ref, provider.name);
      const pending = latest?.outcome ? undefined : latest;
      if (pending && isSame(pending, snapshot, options, flow)) {
        return { attempt: await deviceFlow.waitForCode(pending), isNew: false };
      }
      await this.#assertSessionCapacity(snapshot.ref, provider.name);
      if (!isCounted) await rateLimit.count(options.source);
      isCounted = true;
      const attempt = await this.#add(snapshot, options, { flow, replaces: pending?.key });
      if (!attempt) continue;
      return { attempt: await deviceFlow.start(attempt), isNew: true };
    }
  }

  /** Whether a login from `source` is complete when its browser is done, without a confirmation code. */
  completesInBrowser(source: LoginSource, provider: Provider): boolean {
    const flow = flowAt(provider, undefined);
    return flow === 'link' && this.#options.initiatorVerifier.checkFor(source, provider, flow) !== 'code';
  }

  /** @throws SessionError `limit_reached` if the session has too many pending logins for another one at `provider` */
  async #assertSessionCapacity(ref: SessionRef, provider: string): Promise<void> {
    const pending = await this.#options.attempts.pendingOf(ref);
    const others = pending.filter((attempt) => attempt.provider !== provider);
    if (others.length >= MAX_PER_SESSION) throw sessionFull();
  }

  /**
   * Adds an attempt in place of the pending one, and of one that is evicted.
   * @returns `undefined` if another attempt is the pending one now
   * @throws SessionError `limit_reached`, `store_unavailable`
   */
  async #add(
    snapshot: SessionSnapshot,
    options: StartLoginOptions,
    { flow, replaces }: { readonly flow: LoginFlow; readonly replaces: AttemptKey | undefined },
  ): Promise<PendingAttempt | undefined> {
    const { changes, completion, events, limits } = this.#options;
    const attempt = this.#newAttempt(snapshot, options, flow);
    const { provider, check } = attempt;
    const capacity = { maxPerSession: MAX_PER_SESSION, maxAttempts: limits.pendingLogins };
    const insertion = await changes.insert(attempt, replaces, capacity);
    if (insertion.kind !== 'inserted') {
      if (insertion.kind === 'changed') return undefined;
      throw insertion.kind === 'full' ? serverFull() : sessionFull();
    }
    const { superseded, evicted } = insertion;
    if (superseded) completion.failed(superseded, { kind: 'failed', failure: 'superseded' });
    if (evicted) completion.failed(evicted, { kind: 'failed', failure: 'evicted' });
    events.emit({ type: 'login.started', ...snapshot, provider, flow, check });
    return attempt;
  }

  #newAttempt(
    snapshot: SessionSnapshot,
    { provider: name, source, scopes = [], claims, prompt }: StartLoginOptions,
    flow: LoginFlow,
  ): PendingAttempt {
    const { changes, clock, initiatorVerifier, lifetimes, providerOf, random } = this.#options;
    const provider = providerOf(name);
    const id = randomToken(random);
    const startedAtMs = clock.now();
    const expiresAtMs = startedAtMs + lifetimes.loginAttemptMs;
    return {
      key: attemptKeyOf(id),
      version: changes.newVersion(),
      dueAtMs: flow === 'device' ? Math.min(expiresAtMs, startedAtMs + MAX_START_MS) : expiresAtMs,
      id,
      snapshot,
      provider: name,
      scopes: [...new Set([...provider.scopes, ...scopes])],
      claims,
      prompt,
      source,
      quotaKey: quotaKeyOf(source),
      check: initiatorVerifier.checkFor(source, provider, flow),
      isDevice: flow === 'device',
      startedAtMs,
      traceparent: currentTraceparent(),
      expiresAtMs,
    };
  }
}

/** Whether a pending login is the requested one. */
function isSame(
  pending: PendingAttempt,
  { epoch }: SessionSnapshot,
  { flow: requested, scopes = [], claims, prompt }: StartLoginOptions,
  flow: LoginFlow,
): boolean {
  return (
    pending.snapshot.epoch === epoch &&
    (requested === undefined || pending.isDevice === (flow === 'device')) &&
    scopes.every((scope) => pending.scopes.includes(scope)) &&
    (claims === undefined ||
      (pending.claims !== undefined && kindOfClaims(claims) === kindOfClaims(pending.claims))) &&
    (prompt === undefined || pending.prompt !== undefined)
  );
}

function sessionFull(): SessionError {
  return limitReached(
    'This session has too many pending logins. Complete one of them, or try again in a minute.',
  );
}

function serverFull(): SessionError {
  return limitReached('This server has too many pending logins. Try again in a minute.');
}

function limitReached(message: string): SessionError {
  return new SessionError('limit_reached', message, { retryAfterSeconds: 60 });
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
