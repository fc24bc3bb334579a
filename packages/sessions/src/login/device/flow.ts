import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import { SessionError } from '../../errors.js';
import type { Provider } from '../../provider/provider.js';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';
import type { FailedLogins } from '../failed-logins.js';
import type { InitiatorVerifier } from '../initiator-verifier.js';
import type { LoginAttempt } from '../login-attempt.js';
import type { LoginCompletion } from '../login-completion.js';
import { DevicePoller } from './device-poller.js';

export interface DeviceFlowOptions {
  readonly completion: LoginCompletion;
  readonly failedLogins: FailedLogins;
  readonly initiatorVerifier: InitiatorVerifier;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/**
 * Logins by the device flow (RFC 8628): the user enters a code at the provider, and this server polls for the tokens.
 */
export class DeviceFlow {
  readonly #options: DeviceFlowOptions;

  constructor(options: DeviceFlowOptions) {
    this.#options = options;
  }

  /**
   * Requests the user code of an attempt, and polls until the attempt ends.
   * @throws SessionError `provider_unavailable`, `provider_refused`, `login_failed`; they end the attempt
   */
  start(attempt: LoginAttempt, provider: Provider): Promise<void> {
    const { clock, deadlines, completion } = this.#options;
    const { scopes, claims } = attempt;
    attempt.devicePoller = new DevicePoller({
      provider,
      request: { scopes, claims },
      clock,
      deadlines,
      onGranted: (granted) => this.#complete(attempt, granted),
      onFailure: (failure, cause) => void completion.fail(attempt, failure, cause),
      onError: (error) => void completion.failBy(attempt, error),
    });
    return this.waitForCode(attempt);
  }

  /** Resolves once an attempt has its user code; at once for an attempt by link. @throws SessionError as `start` */
  async waitForCode(attempt: LoginAttempt): Promise<void> {
    const { completion, failedLogins } = this.#options;
    try {
      await attempt.devicePoller?.start();
    } catch (error) {
      completion.failBy(attempt, error);
      // The error tells the client.
      failedLogins.takeUnreported(attempt.snapshot.ref, attempt.provider);
      if (error instanceof SessionError) throw error;
      throw new SessionError(
        'login_failed',
        'The login failed because of an internal error of this server. Call `login` to try again. If it fails again, tell the operator of this server; the log names the error.',
        { cause: error },
      );
    }
    if (!attempt.outcome) return;
    throw new SessionError(
      'login_failed',
      'This login was canceled before the provider returned a code. Call `login` again.',
    );
  }

  async #complete(attempt: LoginAttempt, answer: GrantedTokens): Promise<void> {
    const { completion, initiatorVerifier } = this.#options;
    const { idTokenClaims, ...granted } = answer;
    if (
      attempt.check === 'same-user' &&
      !initiatorVerifier.isInitiator(attempt.source.initiator, idTokenClaims)
    ) {
      completion.reject(attempt, granted, 'identity_mismatch');
      return;
    }
    await completion.complete(attempt, granted);
  }
}
