import type { Accounts } from '../account/accounts.js';
import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import type { Disposal } from '../session/disposal.js';
import type { SessionRef } from '../session/ids.js';
import type { LoginFailure, SessionEvents } from '../session/session-events.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';
import type { Vault } from '../vault/vault.js';
import type { FailedLogins } from './failed-logins.js';
import type { FailedLogin, LoginAttempt, LoginOutcome } from './login-attempt.js';
import type { LoginAttempts } from './login-attempts.js';
import { LoginWaiters } from './login-waiters.js';
import { UnconfirmedGrants } from './unconfirmed-grants.js';

export interface LoginCompletionOptions {
  readonly attempts: LoginAttempts;
  readonly ended: FailedLogins;
  readonly accounts: Accounts;
  readonly disposal: Disposal;
  readonly vault: Vault;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** The handle of a login lives as long as its code. */
  readonly registry: Pick<SessionRegistry, 'touch'>;
  readonly onError: (error: unknown) => void;
}

/** Failures that the client has no other way to hear of. */
const HAPPEN_ELSEWHERE: ReadonlySet<LoginFailure> = new Set([
  'declined',
  'crowded_out',
  'browser_mismatch',
  'identity_mismatch',
  'provider_unavailable',
  'provider_refused',
]);

/** How attempts end: what was granted is taken in or revoked, and whoever waits for it hears of it. */
export class LoginCompletion {
  readonly #options: LoginCompletionOptions;
  readonly #inert: UnconfirmedGrants;
  readonly #waiters: LoginWaiters;
  /** Failures that the session has not been told of yet. */
  readonly #untold = new Map<SessionRef, Map<string, LoginFailure>>();

  constructor(options: LoginCompletionOptions) {
    this.#options = options;
    const { vault, random, clock, events } = options;
    this.#inert = new UnconfirmedGrants(vault, random, clock);
    this.#waiters = new LoginWaiters(clock);
    events.subscribe((event) => {
      if (event.type !== 'session.signed_out' && event.type !== 'session.ended') return;
      for (const attempt of options.attempts.allOf(event.ref)) this.fail(attempt, 'signed_out');
      this.#untold.delete(event.ref);
    });
  }

  /** Why the last login of a session at a provider failed, if its client could not know; said once. */
  takeFailure(ref: SessionRef, provider: string): LoginFailure | undefined {
    const untold = this.#untold.get(ref);
    const failure = untold?.get(provider);
    untold?.delete(provider);
    if (untold?.size === 0) this.#untold.delete(ref);
    return failure;
  }

  /** Whether another call may wait for an attempt. */
  mayWait(attempt: LoginAttempt): boolean {
    return this.#waiters.hasRoomFor(attempt);
  }

  /** Resolves when the attempt is over, has got as far as its code, after `timeoutMs`, or when `signal` aborts. */
  wait(attempt: LoginAttempt, timeoutMs: number, signal: AbortSignal): Promise<void> {
    return this.#waiters.wait(attempt, timeoutMs, signal);
  }

  /** Makes waiting calls answer at once, now and in future. */
  stopWaiting(): void {
    this.#waiters.wakeAll();
  }

  /** Takes the tokens of an attempt into its session, or revokes them if nobody wants them any more. */
  async finish(attempt: LoginAttempt, granted: GrantedTokens): Promise<LoginOutcome> {
    if (attempt.outcome) return this.#tooLate(attempt, granted);
    const { accounts } = this.#options;
    const { snapshot, provider } = attempt;
    const generation = await accounts.commitLogin(snapshot, provider, granted);
    if (generation === undefined) return this.fail(attempt, 'signed_out');
    const outcome = outcomeOf(attempt);
    if (outcome?.kind === 'failed') {
      // It was given up while it was being committed. A newer login may have taken its place since.
      await accounts.remove(snapshot.ref, provider, generation);
      return outcome;
    }
    this.takeFailure(snapshot.ref, provider);
    return this.#end(attempt, { kind: 'authenticated' });
  }

  /** Keeps the tokens of an attempt inert until its code is presented. @returns that code */
  awaitCode(
    attempt: LoginAttempt,
    granted: GrantedTokens,
  ): { readonly kind: 'code'; readonly code: string } | FailedLogin {
    if (attempt.outcome || attempt.inert) return this.#tooLate(attempt, granted);
    const { attempts, registry, onError } = this.#options;
    attempts.dropTrip(attempt);
    const { code, inert } = this.#inert.put(attempt, granted);
    // However late its user came: from now on it is the code's time that counts.
    attempts.expireAt(attempt, inert.expiresAtMs, () => this.fail(attempt, 'expired'));
    registry.touch(attempt.snapshot.ref).catch(onError);
    this.#waiters.wake(attempt);
    return { kind: 'code', code };
  }

  /**
   * Presents a code as somebody typed it.
   * @returns how the attempt ended; `undefined` when the code is wrong and may be tried again, or none is due
   */
  async confirm(attempt: LoginAttempt, typed: string): Promise<LoginOutcome | undefined> {
    const { inert } = attempt;
    if (!inert) return undefined;
    if (!this.#inert.isRight(inert, typed)) {
      return inert.triesLeft > 0 ? undefined : this.fail(attempt, 'wrong_code');
    }
    const granted = this.#inert.take(attempt);
    return granted ? this.finish(attempt, granted) : attempt.outcome;
  }

  /** Revokes what an attempt has brought, and ends it. */
  refuse(attempt: LoginAttempt, granted: GrantedTokens, failure: LoginFailure): FailedLogin {
    this.#revoke(attempt, granted);
    return this.fail(attempt, failure);
  }

  /** Ends an attempt, unless it has ended. @returns the failure, whether or not it is what ended it */
  fail(attempt: LoginAttempt, failure: LoginFailure): FailedLogin {
    const outcome: FailedLogin = { kind: 'failed', failure };
    if (attempt.outcome) return outcome;
    const unused = this.#inert.take(attempt);
    if (unused) this.#revoke(attempt, unused);
    this.#end(attempt, outcome);
    const { snapshot, provider } = attempt;
    if (HAPPEN_ELSEWHERE.has(failure)) {
      const untold = this.#untold.get(snapshot.ref) ?? new Map<string, LoginFailure>();
      this.#untold.set(snapshot.ref, untold.set(provider, failure));
    }
    this.#options.events.emit({ type: 'login.failed', ref: snapshot.ref, provider, failure });
    return outcome;
  }

  /** The attempt was decided while the provider was asked: what came is not wanted any more. */
  #tooLate(attempt: LoginAttempt, granted: GrantedTokens): FailedLogin {
    this.#revoke(attempt, granted);
    return { kind: 'failed', failure: failureOf(attempt.outcome) ?? 'superseded' };
  }

  #revoke({ snapshot, provider }: LoginAttempt, { tokens }: GrantedTokens): void {
    void this.#options.disposal.revoke(snapshot, provider, tokens);
  }

  #end(attempt: LoginAttempt, outcome: LoginOutcome): LoginOutcome {
    attempt.outcome = outcome;
    if (outcome.kind === 'failed') this.#options.ended.add(attempt, outcome.failure);
    this.#options.attempts.remove(attempt);
    this.#waiters.wake(attempt);
    return outcome;
  }
}

/** Why an attempt failed, if it did. */
export function failureOf(outcome: LoginOutcome | undefined): LoginFailure | undefined {
  return outcome?.kind === 'failed' ? outcome.failure : undefined;
}

/** Read anew: what the compiler knows of an outcome does not hold across an await. */
function outcomeOf(attempt: LoginAttempt): LoginOutcome | undefined {
  return attempt.outcome;
}
