import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import { SessionError } from '../../errors.js';
import type { Provider } from '../../provider/provider.js';
import type { Clock } from '../../time/clock.js';
import type { Deadlines } from '../../time/deadlines.js';
import type { LoginAttempt } from '../login-attempt.js';
import type { LoginChecks } from '../login-checks.js';
import type { LoginCompletion } from '../login-completion.js';
import { DeviceLogin } from './device-login.js';

export interface DeviceLoginsOptions {
  readonly endings: LoginCompletion;
  readonly checks: LoginChecks;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly onError: (error: unknown) => void;
}

/** Logins that users finish at their provider's own page, in a browser that never comes here. */
export class DeviceLogins {
  readonly #options: DeviceLoginsOptions;

  constructor(options: DeviceLoginsOptions) {
    this.#options = options;
  }

  /**
   * Has the provider give out a code for an attempt, and polls until the attempt is over.
   * @throws SessionError `provider_unavailable`, `provider_refused`, `login_failed`; the attempt is over then
   */
  begin(attempt: LoginAttempt, provider: Provider): Promise<void> {
    const { clock, deadlines, endings, onError } = this.#options;
    attempt.device = new DeviceLogin({
      provider,
      clock,
      deadlines,
      onGranted: (granted) => void this.#granted(attempt, granted).catch(onError),
      onFailure: (failure) => void endings.fail(attempt, failure),
    });
    return this.begun(attempt);
  }

  /** Waits until an attempt has its code, if it is to have one. @throws SessionError as `begin` */
  async begun(attempt: LoginAttempt): Promise<void> {
    const { endings } = this.#options;
    try {
      await attempt.device?.begin();
    } catch (error) {
      const isDown = error instanceof SessionError && error.code === 'provider_unavailable';
      endings.fail(attempt, isDown ? 'provider_unavailable' : 'provider_refused');
      // Whoever asked hears of it by this error.
      endings.takeFailure(attempt.snapshot.ref, attempt.provider);
      throw error;
    }
    if (!attempt.outcome) return;
    throw new SessionError('login_failed', 'This login was given up before it began. Call `login` again.');
  }

  async #granted(attempt: LoginAttempt, answer: GrantedTokens): Promise<void> {
    const { checks, endings } = this.#options;
    const { idTokenClaims, ...granted } = answer;
    if (attempt.check === 'same-user' && !checks.isSameUser(attempt.origin.initiator, idTokenClaims)) {
      endings.refuse(attempt, granted, 'identity_mismatch');
      return;
    }
    try {
      await endings.finish(attempt, granted);
    } catch (error) {
      // The code is used up. To the user it is the same as a provider that fails.
      endings.fail(attempt, 'provider_unavailable');
      throw error;
    }
  }
}
