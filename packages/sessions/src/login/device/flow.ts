import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import { SessionError } from '../../errors.js';
import type { Provider } from '../../provider/provider.js';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';
import type { AttemptChanges } from '../attempt-changes.js';
import type { AttemptKey, PendingAttempt } from '../attempt-record.js';
import type { AttemptStore } from '../attempt-store.js';
import type { InitiatorVerifier } from '../initiator-verifier.js';
import type { LoginCompletion } from '../login-completion.js';
import { topicOf } from '../login-waiters.js';
import type { Messages } from '../messages.js';
import { DevicePoller } from './device-poller.js';

export interface DeviceFlowOptions {
  readonly attempts: AttemptStore;
  readonly changes: AttemptChanges;
  readonly messages: Messages;
  readonly completion: LoginCompletion;
  readonly initiatorVerifier: InitiatorVerifier;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly onError: (error: unknown) => void;
}

/**
 * Logins by the device flow (RFC 8628): the user enters a code at the provider, and this server polls for the tokens.
 */
export class DeviceFlow {
  readonly #options: DeviceFlowOptions;
  /** The pollers of the logins that were started at this node. */
  readonly #pollers = new Map<
    AttemptKey,
    { readonly poller: DevicePoller; readonly unsubscribe: () => void }
  >();

  constructor(options: DeviceFlowOptions) {
    this.#options = options;
  }

  /** The poller of an attempt; `undefined` for one by link, and after it has ended. */
  pollerOf(key: AttemptKey): DevicePoller | undefined {
    return this.#pollers.get(key)?.poller;
  }

  /** Adds the poller of an attempt that is about to be added. {@link waitForCode} starts it. */
  add(attempt: PendingAttempt, provider: Provider): void {
    const { clock, deadlines, completion, messages, onError } = this.#options;
    const { key, scopes, claims } = attempt;
    const poller = new DevicePoller({
      provider,
      request: { scopes, claims },
      clock,
      deadlines,
      onGranted: (granted) => this.#complete(attempt, granted).finally(() => this.drop(key)),
      onFailure: (failure, cause) =>
        void completion
          .fail(attempt, failure, cause)
          .catch(onError)
          .finally(() => this.drop(key)),
      onError: (error) =>
        void completion
          .failBy(attempt, error)
          .catch(onError)
          .finally(() => this.drop(key)),
    });
    const dropIfEnded = async () => {
      if (!(await this.#isPending(key))) this.drop(key);
    };
    const unsubscribe = messages.subscribe(topicOf(key), () => void dropIfEnded().catch(onError));
    this.#pollers.set(key, { poller, unsubscribe });
  }

  /** Stops the poller of an attempt that has ended, or was not added. */
  drop(key: AttemptKey): void {
    const polling = this.#pollers.get(key);
    this.#pollers.delete(key);
    polling?.unsubscribe();
    polling?.poller.stop();
  }

  /**
   * Requests the user code of an attempt, once, and polls from then on until the attempt ends. Resolves at once for an
   * attempt by link.
   * @throws SessionError `provider_unavailable`, `provider_refused`, `login_failed`; they end the attempt
   */
  async waitForCode(attempt: PendingAttempt): Promise<void> {
    if (!attempt.isDevice) return;
    const { completion, changes } = this.#options;
    const { key, snapshot, provider } = attempt;
    try {
      await this.pollerOf(key)?.start();
    } catch (error) {
      await completion.failBy(attempt, error);
      // The error tells the client.
      await changes.takeUnreported(snapshot, provider);
      if (error instanceof SessionError) throw error;
      throw new SessionError(
        'login_failed',
        'The login failed because of an internal error of this server. Call `login` to try again. If it fails again, tell the operator of this server; the log names the error.',
        { cause: error },
      );
    }
    if (await this.#isPending(key)) return;
    throw new SessionError(
      'login_failed',
      'This login was canceled before the provider returned a code. Call `login` again.',
    );
  }

  async #isPending(key: AttemptKey): Promise<boolean> {
    const attempt = await this.#options.attempts.get(key);
    return attempt !== undefined && !attempt.outcome;
  }

  async #complete(attempt: PendingAttempt, answer: GrantedTokens): Promise<void> {
    const { completion, initiatorVerifier } = this.#options;
    const { idTokenClaims, ...granted } = answer;
    if (
      attempt.check === 'same-user' &&
      !initiatorVerifier.isInitiator(attempt.source.initiator, idTokenClaims)
    ) {
      await completion.reject(attempt, granted, 'identity_mismatch');
      return;
    }
    await completion.complete(attempt, granted);
  }
}
