import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import { SessionError } from '../../errors.js';
import type { DeviceAuthorization, DevicePoll } from '../../provider/device-authorization.js';
import type { Provider } from '../../provider/provider.js';
import type { Messages } from '../../session/messages.js';
import type { ProviderFailure } from '../../session/provider-failures.js';
import type { LoginFailure } from '../../session/session-events.js';
import type { Clock } from '../../time/clock.js';
import { type Fence, fenceFor } from '../../time/fence.js';
import type { SealedRecord } from '../../vault/vault.js';
import type { AttemptChanges } from '../attempt-changes.js';
import { type AttemptKey, type DeviceLogin, endsAtMsOf, type PendingAttempt } from '../attempt-record.js';
import type { AttemptSecrets } from '../attempt-secrets.js';
import type { AttemptStore } from '../attempt-store.js';
import type { InitiatorVerifier } from '../initiator-verifier.js';
import type { LoginCompletion } from '../login-completion.js';
import { topicOf } from '../login-waiters.js';
import { nextMessage } from '../next-message.js';
import {
  afterPoll,
  newDeviceLogin,
  type RepeatedPoll,
  SEND_WITHIN_MS,
  whilePolling,
} from './device-polls.js';
import { canceledStart, endedStart, errorOfStart } from './failed-start.js';

/** The time after which another node requests the codes of a login, if there are none. */
export const MAX_START_MS = 30_000;
/** How often a call that waits for the codes reads the attempt if no message comes. */
const READ_AGAIN_MS = 1000;

export interface DeviceFlowOptions {
  readonly attempts: AttemptStore;
  readonly changes: AttemptChanges;
  readonly secrets: AttemptSecrets;
  readonly messages: Messages;
  readonly completion: LoginCompletion;
  readonly initiatorVerifier: Pick<InitiatorVerifier, 'isInitiator'>;
  readonly providerOf: (name: string) => Pick<Provider, 'authorizeDevice' | 'pollDevice'>;
  readonly clock: Clock;
  /** Milliseconds on a clock that continues while the machine is suspended. Default: `Date.now`. */
  readonly wallNow?: (() => number) | undefined;
}

/**
 * Logins by the device flow (RFC 8628): the user enters a code at the provider, and the nodes poll for the tokens, one
 * request of a login at a time. What is known of a login is in its attempt, so that any node can poll next.
 */
export class DeviceFlow {
  readonly #options: DeviceFlowOptions;
  /** What is due and has not ended. */
  readonly #running = new Set<Promise<void>>();

  constructor(options: DeviceFlowOptions) {
    this.#options = options;
  }

  /**
   * Requests the codes of an attempt. Returns an attempt by link as it is.
   * @returns the attempt with its codes
   * @throws SessionError `provider_unavailable`, `provider_refused`, `login_failed`, `store_unavailable`; they end the
   * attempt
   */
  async start(attempt: PendingAttempt): Promise<PendingAttempt> {
    if (!attempt.isDevice) return attempt;
    const { completion, changes } = this.#options;
    try {
      await this.#requestCodes(attempt);
    } catch (error) {
      await completion.failBy(attempt, error);
      // The error tells the client.
      await changes.takeUnreported(attempt.snapshot, attempt.provider);
      throw errorOfStart(error);
    }
    return this.waitForCode(attempt);
  }

  /**
   * Waits for the codes of an attempt that another call has started. Returns an attempt by link as it is.
   * @returns the attempt with its codes
   * @throws SessionError as `start`
   */
  async waitForCode(started: PendingAttempt): Promise<PendingAttempt> {
    if (!started.isDevice) return started;
    const { key, provider } = started;
    for (;;) {
      const next = nextMessage(this.#options, [topicOf(key), codeTopicOf(key)], READ_AGAIN_MS);
      try {
        const attempt = await this.#options.attempts.get(key);
        if (!attempt) throw canceledStart();
        if (attempt.outcome) throw endedStart(provider, attempt.outcome);
        if (attempt.device) return attempt;
        await next.arrived;
      } finally {
        next.cancel();
      }
    }
  }

  /**
   * Does what is due for an attempt: polls, or requests the codes if the node that was about to do so has crashed. An
   * error ends the attempt, unless the attempt store has failed: it is due again then.
   * @throws SessionError `store_unavailable`
   */
  async runDue(attempt: PendingAttempt): Promise<void> {
    const running = this.#runDue(attempt);
    this.#running.add(running);
    await running.finally(() => this.#running.delete(running));
  }

  /** Waits until the polls in flight have ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #runDue(attempt: PendingAttempt): Promise<void> {
    try {
      await (attempt.device ? this.#poll(attempt.key) : this.#startAgain(attempt));
    } catch (error) {
      if (error instanceof SessionError && error.code === 'store_unavailable') throw error;
      await this.#options.completion.failBy(attempt, error);
    }
  }

  async #startAgain(attempt: PendingAttempt): Promise<void> {
    const { attempts, clock } = this.#options;
    await attempts.postpone(attempt.key, Math.min(attempt.expiresAtMs, clock.now() + MAX_START_MS));
    await this.#requestCodes(attempt);
  }

  async #requestCodes(attempt: PendingAttempt): Promise<void> {
    const { providerOf, secrets, messages } = this.#options;
    const { key, scopes, claims } = attempt;
    const authorization = await providerOf(attempt.provider).authorizeDevice({ scopes, claims });
    let code: SealedRecord;
    try {
      code = secrets.sealDeviceCode(attempt, authorization.deviceCode);
    } finally {
      authorization.deviceCode.wipe();
    }
    // If the attempt has ended, or another node has requested codes, these ones stay unknown to the user.
    if (!(await this.#keepCodes(key, authorization, code))) secrets.wipe(code);
    messages.publish(codeTopicOf(key));
  }

  /** @returns whether the attempt has these codes */
  async #keepCodes(
    key: AttemptKey,
    authorization: DeviceAuthorization,
    code: SealedRecord,
  ): Promise<boolean> {
    const { changes, clock } = this.#options;
    const device = newDeviceLogin(authorization, code, clock.now());
    const kept = await changes.change(key, (current) =>
      current.device ? undefined : withDevice(current, device),
    );
    return kept !== undefined;
  }

  async #poll(key: AttemptKey): Promise<void> {
    const { changes, clock, wallNow = Date.now } = this.#options;
    // It falls before another node may poll. What the store takes counts, too.
    const fence = fenceFor({ clock, wallNow }, SEND_WITHIN_MS);
    const claimed = await changes.change(key, (current) => {
      const nowMs = clock.now();
      if (!current.device || current.isCommitting || current.device.nextPollAtMs > nowMs) return undefined;
      return withDevice(current, whilePolling(current.device, nowMs));
    });
    if (claimed?.after.device) await this.#pollOnce(claimed.after, claimed.after.device, fence);
  }

  /**
   * @param device as this poll has changed it
   * @throws errors after which the code is used up, or cannot be opened
   */
  async #pollOnce(attempt: PendingAttempt, device: DeviceLogin, fence: Fence): Promise<void> {
    const poll = await this.#request(attempt, device, fence);
    switch (poll.kind) {
      case 'granted':
        this.#options.secrets.wipe(device.code);
        return this.#complete(attempt, poll.granted);
      case 'denied':
        return this.#fail(attempt, device, 'declined');
      case 'expired':
        return this.#fail(attempt, device, 'expired');
      case 'refused':
        return this.#fail(attempt, device, 'provider_refused', poll.failure);
      default:
        return this.#pollAgain(attempt, device, poll);
    }
  }

  async #request(attempt: PendingAttempt, device: DeviceLogin, fence: Fence): Promise<DevicePoll> {
    const { providerOf, secrets } = this.#options;
    const { provider, scopes, claims } = attempt;
    const deviceCode = secrets.openDeviceCode(attempt, device.code);
    try {
      return await providerOf(provider).pollDevice(deviceCode, { scopes, claims }, fence);
    } finally {
      deviceCode.wipe();
    }
  }

  async #pollAgain({ key }: PendingAttempt, device: DeviceLogin, poll: RepeatedPoll): Promise<void> {
    const { changes, clock } = this.#options;
    await changes.change(key, (current) =>
      isPolledBy(current, device) ? withDevice(current, afterPoll(device, poll, clock.now())) : undefined,
    );
  }

  /** Fails an attempt, unless another node may have polled since: its code would be used up by that. */
  async #fail(
    attempt: PendingAttempt,
    device: DeviceLogin,
    failure: LoginFailure,
    cause?: ProviderFailure,
  ): Promise<void> {
    if (this.#options.clock.now() >= device.nextPollAtMs) return;
    await this.#options.completion.fail(attempt, failure, cause);
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

/** The topic of the message that the codes of a login have come. */
function codeTopicOf(key: AttemptKey): string {
  return `code of login ${key}`;
}

/** Whether the poll that has changed an attempt to `device` is the one in flight. */
function isPolledBy({ device: current }: PendingAttempt, device: DeviceLogin): boolean {
  return current?.isPolling === true && current.nextPollAtMs === device.nextPollAtMs;
}

function withDevice(attempt: PendingAttempt, device: DeviceLogin): Partial<PendingAttempt> {
  const dueAtMs = Math.min(endsAtMsOf({ ...attempt, device }), device.nextPollAtMs);
  return { device, dueAtMs };
}
