import type { Accounts } from '../account/accounts.js';
import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import { omitUndefined } from '../omit-undefined.js';
import type { Disposal } from '../session/disposal.js';
import { failureIn, type ProviderFailure } from '../session/provider-failures.js';
import type { InternalEvent, LoginFailure, SessionEvents } from '../session/session-events.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { SharedGrants } from '../session/shared-grants.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';
import type { Vault } from '../vault/vault.js';
import type { FailedLogins } from './failed-logins.js';
import { endedAs, type FailedLogin, type LoginAttempt, type LoginOutcome } from './login-attempt.js';
import type { LoginAttempts } from './login-attempts.js';
import type { LoginWaiters } from './login-waiters.js';
import { UnconfirmedGrants } from './unconfirmed-grants.js';

export interface LoginCompletionOptions {
  readonly attempts: LoginAttempts;
  readonly failedLogins: FailedLogins;
  readonly waiters: LoginWaiters;
  readonly accounts: Accounts;
  readonly disposal: Disposal;
  readonly sharedGrants: Pick<SharedGrants, 'hold'>;
  readonly vault: Vault;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Keeps the pending handle alive as long as its confirmation code is valid. */
  readonly registry: Pick<SessionRegistry, 'touch'>;
  readonly onError: (error: unknown) => void;
}

/** Ends login attempts: commits the granted tokens to the session, or revokes them, and wakes the calls that wait. */
export class LoginCompletion {
  readonly #options: LoginCompletionOptions;
  readonly #unconfirmed: UnconfirmedGrants;
  /** Attempts whose tokens are being committed. */
  readonly #committing = new Set<LoginAttempt>();

  constructor(options: LoginCompletionOptions) {
    this.#options = options;
    const { vault, random, clock } = options;
    this.#unconfirmed = new UnconfirmedGrants(vault, random, clock);
  }

  /** Follows an event: fails the attempts of a session that is signed out or ends. */
  handleEvent(event: InternalEvent): void {
    if (event.type !== 'session.signed_out' && event.type !== 'session.ended') return;
    const { attempts, failedLogins } = this.#options;
    for (const attempt of attempts.allOf(event.ref)) {
      // The login that has signed out the former user goes on.
      const goesOn = event.reason === 'other_user' && this.#committing.has(attempt);
      if (!goesOn) this.fail(attempt, 'signed_out');
    }
    failedLogins.deleteUnreported(event.ref);
  }

  /**
   * Commits the tokens of an attempt to its session, or revokes them if the attempt has ended. Never rejects: an
   * unexpected error ends the attempt.
   */
  async complete(attempt: LoginAttempt, granted: GrantedTokens): Promise<LoginOutcome> {
    try {
      return await this.#commit(attempt, granted);
    } catch (error) {
      return this.failBy(attempt, error);
    }
  }

  async #commit(attempt: LoginAttempt, granted: GrantedTokens): Promise<LoginOutcome> {
    if (attempt.outcome) return this.#revokeLate(attempt, granted);
    const { accounts, failedLogins } = this.#options;
    const { snapshot, provider, claims } = attempt;
    this.#committing.add(attempt);
    const held = this.#hold(attempt, granted);
    const generation = await accounts
      .commitLogin(snapshot, provider, claims === undefined ? held : { ...held, requestedClaims: claims })
      .finally(() => this.#committing.delete(attempt));
    if (generation === undefined) return this.fail(attempt, 'signed_out');
    const outcome = outcomeOf(attempt);
    if (outcome?.kind === 'failed') {
      // The attempt ended during the commit. The generation protects the account of a newer login.
      await accounts.remove(snapshot.ref, provider, generation);
      return outcome;
    }
    failedLogins.takeUnreported(snapshot.ref, provider);
    return this.#end(attempt, { kind: 'authenticated' });
  }

  /** Keeps the tokens of an attempt unconfirmed until its code is presented. @returns that code */
  awaitConfirmation(
    attempt: LoginAttempt,
    granted: GrantedTokens,
  ): { readonly kind: 'code'; readonly code: string } | FailedLogin {
    if (attempt.outcome || attempt.unconfirmed) return this.#revokeLate(attempt, granted);
    const { attempts, registry, waiters, onError } = this.#options;
    attempts.dropTransaction(attempt);
    const held = this.#hold(attempt, granted);
    let kept: ReturnType<UnconfirmedGrants['put']>;
    try {
      kept = this.#unconfirmed.put(attempt, held);
    } catch (error) {
      this.#revoke(attempt, held);
      return this.failBy(attempt, error);
    }
    const { code, expiresAtMs } = kept;
    // The code's lifetime replaces the rest of the attempt's.
    attempts.expireAt(attempt, expiresAtMs, () => this.fail(attempt, 'expired'));
    registry.touch(attempt.snapshot.ref).catch(onError);
    waiters.wake(attempt);
    return { kind: 'code', code };
  }

  /**
   * Presents a confirmation code.
   * @param typed the code as the user typed it
   * @returns the outcome; `undefined` if the code is wrong and another try is left, or if no code is expected
   */
  async confirm(attempt: LoginAttempt, typed: string): Promise<LoginOutcome | undefined> {
    const { unconfirmed } = attempt;
    if (!unconfirmed) return undefined;
    if (!this.#unconfirmed.isCorrectCode(unconfirmed, typed)) {
      return unconfirmed.triesLeft > 0 ? undefined : this.fail(attempt, 'wrong_code');
    }
    const granted = this.#takeUnconfirmed(attempt);
    return granted ? this.complete(attempt, granted) : this.fail(attempt, 'internal_error');
  }

  /** Revokes the tokens of an attempt and ends it. */
  reject(attempt: LoginAttempt, granted: GrantedTokens, failure: LoginFailure): FailedLogin {
    this.#revoke(attempt, granted);
    return this.fail(attempt, failure);
  }

  /**
   * Ends an attempt unless it has ended.
   * @param cause the failure of the provider, if that is why
   * @returns `failure`, even if the attempt had ended otherwise before
   */
  fail(attempt: LoginAttempt, failure: LoginFailure, cause?: ProviderFailure): FailedLogin {
    const { reason, oauthError } = cause ?? {};
    const outcome: FailedLogin = omitUndefined({ kind: 'failed', failure, reason, oauthError });
    if (attempt.outcome) return outcome;
    const { failedLogins, events } = this.#options;
    const unconfirmed = this.#takeUnconfirmed(attempt);
    if (unconfirmed) this.#revoke(attempt, unconfirmed);
    failedLogins.add(attempt, outcome);
    this.#end(attempt, outcome);
    const { snapshot, provider } = attempt;
    events.emit({ type: 'login.failed', ...snapshot, provider, failure, ...(reason && { reason }) });
    return outcome;
  }

  /** Ends an attempt by the error of a request to its provider, or by any other error, which is logged. */
  failBy(attempt: LoginAttempt, error: unknown): FailedLogin {
    const cause = failureIn(error);
    if (cause) return this.fail(attempt, loginFailureOf(cause), cause);
    this.#options.onError(error);
    return this.fail(attempt, 'internal_error');
  }

  /** Revokes tokens that were granted after their attempt had ended. */
  #revokeLate(attempt: LoginAttempt, granted: GrantedTokens): FailedLogin {
    this.#revoke(attempt, granted);
    return endedAs(attempt.outcome);
  }

  /** @returns `undefined` if there are no tokens, or if they are damaged, which is logged */
  #takeUnconfirmed(attempt: LoginAttempt): GrantedTokens | undefined {
    try {
      return this.#unconfirmed.take(attempt);
    } catch (error) {
      this.#options.onError(error);
      return undefined;
    }
  }

  #hold({ snapshot, provider }: LoginAttempt, granted: GrantedTokens): GrantedTokens {
    const { identity, hold } = granted;
    if (!identity || hold) return granted;
    return { ...granted, hold: this.#options.sharedGrants.hold(snapshot.ref, { provider, ...identity }) };
  }

  #revoke({ snapshot, provider }: LoginAttempt, { tokens, identity, hold }: GrantedTokens): void {
    hold?.release();
    void this.#options.disposal.revoke(snapshot, { provider, ...identity }, tokens);
  }

  #end(attempt: LoginAttempt, outcome: LoginOutcome): LoginOutcome {
    const { attempts, waiters } = this.#options;
    attempt.outcome = outcome;
    attempts.remove(attempt);
    waiters.wake(attempt);
    return outcome;
  }
}

function loginFailureOf({ outcome }: ProviderFailure): LoginFailure {
  switch (outcome) {
    case 'denied':
      return 'declined';
    case 'unavailable':
    case 'lost':
      return 'provider_unavailable';
    default:
      return 'provider_refused';
  }
}

/** Reads the outcome again after an `await`, where the compiler still assumes the earlier value. */
function outcomeOf(attempt: LoginAttempt): LoginOutcome | undefined {
  return attempt.outcome;
}
