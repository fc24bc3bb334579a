import type { Accounts } from '../account/accounts.js';
import { newGrantId } from '../account/added-accounts.js';
import type { GrantedTokens, GrantHold } from '../account/refresh/granted-tokens.js';
import { dropRefused, isRefusal } from '../account/refused-login.js';
import { omitUndefined } from '../omit-undefined.js';
import type { Disposal } from '../session/disposal.js';
import type { Messages } from '../session/messages.js';
import { failureIn, type ProviderFailure } from '../session/provider-failures.js';
import type { InternalEvent, LoginFailure, SessionEvents } from '../session/session-events.js';
import { type AccountRecord, type SessionRecord, snapshotOf } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';
import { digestOf } from '../vault/secret-digest.js';
import { wipeTokenSet } from '../vault/token-set.js';
import type { AttemptChanges, ChangedAttempt } from './attempt-changes.js';
import {
  type AttemptKey,
  endsAtMsOf,
  type PendingAttempt,
  type UnconfirmedTokens,
} from './attempt-record.js';
import type { AttemptSecrets } from './attempt-secrets.js';
import type { AttemptStore } from './attempt-store.js';
import {
  CODE_LIFETIME_MS,
  isCorrectCode,
  MAX_CODE_TRIES,
  mintConfirmationCode,
} from './confirmation-code.js';
import type { FailedLogin, LoginOutcome } from './login-attempt.js';
import { topicOf } from './login-waiters.js';

export interface LoginCompletionOptions {
  readonly attempts: AttemptStore;
  readonly changes: AttemptChanges;
  readonly secrets: AttemptSecrets;
  /** Wakes the calls that wait for a login. */
  readonly messages: Messages;
  readonly accounts: Accounts;
  readonly disposal: Disposal;
  readonly events: SessionEvents;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Keeps the pending handle alive as long as its confirmation code is valid. */
  readonly registry: Pick<SessionRegistry, 'get' | 'touch' | 'update'>;
  readonly onError: (error: unknown) => void;
  /** Called with each login that has ended. Default: not called. */
  readonly onEnded?: ((login: EndedLogin) => void) | undefined;
}

/** A login that has ended, and how. */
type EndedLogin = Pick<PendingAttempt, 'provider' | 'isDevice' | 'startedAtMs' | 'traceparent'> & {
  readonly outcome: LoginOutcome['kind'] | LoginFailure;
};

/** The time after which it is found out what has become of a login, after an error of the store. */
const SETTLE_AGAIN_MS = 5000;

/** Ends login attempts: commits the granted tokens to the session, or revokes them, and wakes the calls that wait. */
export class LoginCompletion {
  readonly #options: LoginCompletionOptions;
  /** What follows events. */
  readonly #following = new Set<Promise<unknown>>();

  constructor(options: LoginCompletionOptions) {
    this.#options = options;
  }

  /** Follows an event: fails the attempts of a session that is signed out or ends. */
  handleEvent(event: InternalEvent): void {
    if (event.type !== 'session.signed_out' && event.type !== 'session.ended') return;
    const following = this.#failAll(event)
      .catch(this.#options.onError)
      .finally(() => this.#following.delete(following));
    this.#following.add(following);
  }

  /** Waits until the attempts of sessions that have ended have failed. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#following);
  }

  /**
   * Commits the tokens of an attempt to its session, or revokes them if the attempt has ended. An unexpected error ends
   * the attempt.
   * @throws SessionError `store_unavailable` if it is not known what has become of the login. `expire` finds out
   */
  async complete(attempt: PendingAttempt, granted: GrantedTokens): Promise<LoginOutcome> {
    const held = this.#hold(attempt, granted);
    try {
      const { key } = attempt;
      const marked = await this.#options.changes
        .change(key, ({ isCommitting }) =>
          isCommitting ? undefined : { isCommitting: true, grant: grantOf(held) },
        )
        .catch(async (error: unknown) => {
          await this.#revoke(attempt, held);
          throw error;
        });
      if (!marked) return await this.#revokeLate(attempt, held);
    } catch (error) {
      return this.failBy(attempt, error);
    }
    return this.#commit(attempt, held);
  }

  /** Keeps the tokens of an attempt unconfirmed until its code is presented. @returns that code */
  async awaitConfirmation(
    attempt: PendingAttempt,
    answer: GrantedTokens,
  ): Promise<{ readonly kind: 'code'; readonly code: string } | FailedLogin> {
    const { changes, secrets, registry, messages, random, clock, onError } = this.#options;
    const held = this.#hold(attempt, answer);
    const { tokens, hold: _hold, ...granted } = held;
    const code = mintConfirmationCode(random);
    const expiresAtMs = clock.now() + CODE_LIFETIME_MS;
    let changed: ChangedAttempt | undefined;
    try {
      const sealed = secrets.sealTokens(attempt, tokens);
      const codeDigest = digestOf(code);
      const unconfirmed = { granted, sealed, codeDigest, expiresAtMs, triesLeft: MAX_CODE_TRIES };
      // The code's lifetime replaces the rest of the attempt's.
      changed = await changes.change(attempt.key, (current) =>
        current.unconfirmed || current.isCommitting
          ? undefined
          : { unconfirmed, grant: grantOf(held), transaction: undefined, dueAtMs: expiresAtMs },
      );
      if (!changed) secrets.wipe(sealed);
    } catch (error) {
      await this.#revoke(attempt, held);
      return this.failBy(attempt, error);
    }
    if (!changed) return this.#revokeLate(attempt, held);
    if (changed.before.transaction) secrets.wipe(changed.before.transaction.checks);
    wipeTokenSet(tokens);
    registry.touch(attempt.snapshot.ref).catch(onError);
    messages.publish(topicOf(attempt.key));
    return { kind: 'code', code };
  }

  /**
   * Presents a confirmation code.
   * @param typed the code as the user typed it
   * @returns the outcome; `undefined` if the code is wrong and another try is left, or if no code is expected
   */
  async confirm(attempt: PendingAttempt, typed: string): Promise<LoginOutcome | undefined> {
    const { changes, accounts } = this.#options;
    // The try is used up before the code is compared, so that no two calls share one.
    const tried = await changes.change(attempt.key, ({ unconfirmed }) =>
      unconfirmed && unconfirmed.triesLeft > 0
        ? { unconfirmed: { ...unconfirmed, triesLeft: unconfirmed.triesLeft - 1 } }
        : undefined,
    );
    const unconfirmed = tried?.after.unconfirmed;
    if (!unconfirmed) return undefined;
    if (isCorrectCode(typed, unconfirmed.codeDigest)) return accounts.adding(this.#takeConfirmed(attempt));
    return unconfirmed.triesLeft > 0 ? undefined : this.fail(attempt, 'wrong_code');
  }

  /** Revokes the tokens of an attempt and ends it. */
  async reject(attempt: PendingAttempt, granted: GrantedTokens, failure: LoginFailure): Promise<FailedLogin> {
    await this.#revoke(attempt, granted);
    return this.fail(attempt, failure);
  }

  /**
   * Ends an attempt unless it has ended.
   * @param cause the failure of the provider, if that is why
   * @returns `failure`, even if the attempt had ended otherwise before
   */
  async fail(attempt: PendingAttempt, failure: LoginFailure, cause?: ProviderFailure): Promise<FailedLogin> {
    const { reason, oauthError } = cause ?? {};
    const outcome: FailedLogin = omitUndefined({ kind: 'failed', failure, reason, oauthError });
    const ended = await this.#options.changes.fail(attempt.key, outcome);
    if (!ended) return outcome;
    await this.refused(ended, failure);
    this.failed(ended, outcome);
    return outcome;
  }

  /** Notes that a login was not possible as it was requested, so that the next one requests less. */
  async refused(attempt: PendingAttempt, failure: LoginFailure): Promise<void> {
    const { snapshot, provider, scopes, claims, isDevice, lastTransaction } = attempt;
    const wasAtProvider = isDevice || lastTransaction !== undefined;
    if (!isRefusal(failure, wasAtProvider)) return;
    const { registry, onError } = this.#options;
    const change = dropRefused({ snapshot, provider, scopes, claims, wasAtProvider }, failure);
    await registry.update(snapshot.ref, change).catch(onError);
  }

  /**
   * Fails an attempt that is due, if it has expired. One whose account is in its session is complete: the answer to its
   * commit was lost, or the node that has committed it has crashed.
   * @returns an attempt by the device flow that goes on: something else is due
   */
  async expire(key: AttemptKey): Promise<PendingAttempt | undefined> {
    const { attempts, clock } = this.#options;
    const attempt = await attempts.get(key);
    if (!attempt || attempt.outcome) return undefined;
    if (attempt.isCommitting) {
      const added = await this.#addedBy(attempt, attempt.grant?.grantId);
      if (added) {
        await this.#completed(attempt, added.account.generation);
        return undefined;
      }
    }
    const endsAtMs = endsAtMsOf(attempt);
    if (clock.now() >= endsAtMs) await this.fail(attempt, 'expired');
    else if (attempt.isDevice) return attempt;
    else await attempts.postpone(key, endsAtMs);
    return undefined;
  }

  /** Ends an attempt by the error of a request to its provider, or by any other error, which is logged. */
  failBy(attempt: PendingAttempt, error: unknown): Promise<FailedLogin> {
    const cause = failureIn(error);
    if (cause) return this.fail(attempt, loginFailureOf(cause), cause);
    this.#options.onError(error);
    return this.fail(attempt, 'internal_error');
  }

  /** Wipes and revokes what an attempt had that has failed. Call it once, after the attempt has ended in the store. */
  failed(ended: PendingAttempt, { failure, reason }: FailedLogin): void {
    const { secrets, messages, events } = this.#options;
    const { key, snapshot, provider, transaction, unconfirmed, device } = ended;
    if (transaction) secrets.wipe(transaction.checks);
    if (device) secrets.wipe(device.code);
    const granted = unconfirmed && this.#opened(ended, unconfirmed);
    // The attempt has ended, and its hold with it.
    if (granted) this.#dispose(ended, granted);
    messages.publish(topicOf(key));
    this.#options.onEnded?.({ ...ended, outcome: failure });
    events.emit({ type: 'login.failed', ...snapshot, provider, failure, ...(reason && { reason }) });
  }

  /** Takes the tokens of an attempt whose code was presented, and commits them. */
  async #takeConfirmed(attempt: PendingAttempt): Promise<LoginOutcome | undefined> {
    const taken = await this.#options.changes.change(attempt.key, (current) =>
      current.unconfirmed ? { unconfirmed: undefined, isCommitting: true } : undefined,
    );
    const unconfirmed = taken?.before.unconfirmed;
    if (!unconfirmed) return undefined;
    const granted = this.#opened(taken.after, unconfirmed);
    if (!granted) return this.fail(attempt, 'internal_error');
    return this.#commit(attempt, granted);
  }

  /** Commits tokens to the session of an attempt that is marked. They are revoked unless the session has them then. */
  async #commit(attempt: PendingAttempt, granted: GrantedTokens): Promise<LoginOutcome> {
    const { accounts } = this.#options;
    const { snapshot, provider, claims } = attempt;
    const answer = claims === undefined ? granted : { ...granted, requestedClaims: claims };
    let generation: number | undefined;
    try {
      generation = await accounts.commitLogin(snapshot, provider, answer);
    } catch (error) {
      return this.#settle(attempt, granted, error);
    }
    return generation === undefined ? this.fail(attempt, 'signed_out') : this.#completed(attempt, generation);
  }

  /** Ends an attempt whose commit has failed as its session shows it. @throws `error` if the store does not answer */
  async #settle(attempt: PendingAttempt, { hold }: GrantedTokens, error: unknown): Promise<LoginOutcome> {
    try {
      const added = await this.#addedBy(attempt, hold?.grantId);
      if (!added) return await this.failBy(attempt, error);
      const { record, account } = added;
      const { provider, subject, generation, refreshAtMs } = account;
      const login = { provider, subject, generation, refreshAtMs };
      this.#options.events.emit({ type: 'account.authenticated', ...snapshotOf(record), ...login });
      return await this.#completed(attempt, generation);
    } catch {
      await this.#settleAgain(attempt);
      throw error;
    }
  }

  async #settleAgain({ key }: PendingAttempt): Promise<void> {
    const { attempts, clock } = this.#options;
    try {
      await attempts.postpone(key, clock.now() + SETTLE_AGAIN_MS);
    } catch {
      // The attempt is due at its end.
    }
  }

  /** The account that a login has added to its session. */
  async #addedBy(
    { snapshot, provider }: PendingAttempt,
    grantId: number | undefined,
  ): Promise<{ readonly record: SessionRecord; readonly account: AccountRecord } | undefined> {
    const record = await this.#options.registry.get(snapshot.ref);
    const account = record?.accounts[provider];
    if (!record || !account || account.grantId !== grantId) return undefined;
    return { record, account };
  }

  /** Ends an attempt whose account is in its session. If it had ended before, the account is removed. */
  async #completed(attempt: PendingAttempt, generation: number): Promise<LoginOutcome> {
    const { accounts, attempts, changes, messages, onError } = this.#options;
    const { key, snapshot, provider } = attempt;
    const isComplete = await changes.complete(key).catch(async (error: unknown) => {
      // The user has logged in. The attempt ends when the store answers.
      onError(error);
      await this.#settleAgain(attempt);
      return true;
    });
    if (!isComplete) {
      // The attempt ended during the commit. The generation protects the account of a newer login.
      await accounts.remove(snapshot.ref, provider, generation);
      return endedAs(await attempts.get(key));
    }
    messages.publish(topicOf(key));
    this.#options.onEnded?.({ ...attempt, outcome: 'authenticated' });
    return { kind: 'authenticated' };
  }

  async #failAll(
    event: Extract<InternalEvent, { type: 'session.signed_out' | 'session.ended' }>,
  ): Promise<void> {
    const { attempts, onError } = this.#options;
    for (const attempt of await attempts.pendingOf(event.ref)) {
      // The login that has signed out the former user goes on.
      const goesOn = event.reason === 'other_user' && attempt.isCommitting;
      if (goesOn || attempt.snapshot.epoch > event.epoch) continue;
      await this.fail(attempt, 'signed_out').catch(onError);
    }
  }

  /** Revokes tokens that were granted after their attempt had ended. */
  async #revokeLate(attempt: PendingAttempt, granted: GrantedTokens): Promise<FailedLogin> {
    await this.#revoke(attempt, granted);
    return endedAs(await this.#options.attempts.get(attempt.key));
  }

  /** @returns `undefined` if the tokens are damaged, which is logged */
  #opened(attempt: PendingAttempt, { granted, sealed }: UnconfirmedTokens): GrantedTokens | undefined {
    const { secrets, onError } = this.#options;
    const hold = attempt.grant && this.#holdOf(attempt, attempt.grant.grantId);
    try {
      return { ...granted, tokens: secrets.takeTokens(attempt, sealed), ...(hold && { hold }) };
    } catch (error) {
      onError(error);
      return undefined;
    }
  }

  /** Gives the tokens of a login a grant, which the attempt holds from its next change on. */
  #hold(attempt: PendingAttempt, granted: GrantedTokens): GrantedTokens {
    if (!granted.identity) return granted;
    return { ...granted, hold: this.#holdOf(attempt, newGrantId(this.#options.random)) };
  }

  #holdOf({ key }: PendingAttempt, grantId: number): GrantHold {
    const { changes, onError } = this.#options;
    const release = async () => {
      await changes
        .change(key, ({ grant }) => (grant?.grantId === grantId ? { grant: undefined } : undefined))
        .catch(onError);
    };
    return { grantId, release };
  }

  async #revoke(attempt: PendingAttempt, granted: GrantedTokens): Promise<void> {
    await granted.hold?.release();
    this.#dispose(attempt, granted);
  }

  #dispose({ snapshot, provider }: PendingAttempt, { tokens, identity, hold }: GrantedTokens): void {
    const account = { provider, subject: identity?.subject, grantId: hold?.grantId };
    void this.#options.disposal.revoke(snapshot, account, tokens);
  }
}

function grantOf({ identity, hold }: GrantedTokens): PendingAttempt['grant'] {
  return identity && hold && { subject: identity.subject, grantId: hold.grantId };
}

/** The result of an attempt that has ended otherwise than its caller expected. */
export function endedAs(attempt: { readonly outcome?: FailedLogin | undefined } | undefined): FailedLogin {
  return attempt?.outcome ?? { kind: 'failed', failure: 'superseded' };
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
