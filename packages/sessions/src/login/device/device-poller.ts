import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import type { DeviceAuthorization, RequestedPause } from '../../provider/device-authorization.js';
import type { DeviceRequest, Provider } from '../../provider/provider.js';
import type { ProviderFailure } from '../../session/provider-failures.js';
import type { LoginFailure } from '../../session/session-events.js';
import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';

export interface DevicePollerOptions {
  readonly provider: Pick<Provider, 'authorizeDevice' | 'pollDevice'>;
  /** The scopes and claims to request. */
  readonly request: DeviceRequest;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Called when the user has approved; after `stop`, too, if a poll was in flight. */
  readonly onGranted: (granted: GrantedTokens) => Promise<void>;
  /** @param cause the failure of the provider, if that is why */
  readonly onFailure: (failure: LoginFailure, cause?: ProviderFailure) => void;
  /** Receives the error of a login whose user could not be identified, and an unexpected one. */
  readonly onError: (error: unknown) => void;
}

/** The increase of the interval after `slow_down` (RFC 8628 section 3.5). */
const SLOW_DOWN_MS = 5000;
/** The maximum pause after failed polls, unless the provider's interval or its `Retry-After` is longer. */
const MAX_PAUSE_MS = 60_000;
/** The poll results that end a login, besides a failure. */
const FAILURES = {
  denied: 'declined',
  expired: 'expired',
} as const satisfies Record<string, LoginFailure>;
/** The time that `detectionDelayMs` allows for the response to a poll. */
const RESPONSE_MS = 3000;

/**
 * The client side of one device authorization (RFC 8628): requests the user code, then polls, one request at a time.
 */
export class DevicePoller {
  readonly #options: DevicePollerOptions;
  #authorization: DeviceAuthorization | undefined;
  #started: Promise<void> | undefined;
  #intervalMs = 0;
  /** The number of polls in a row that failed. */
  #failures = 0;
  #nextAtMs: number | undefined;
  #next: Deadline | undefined;
  #isStopped = false;

  constructor(options: DevicePollerOptions) {
    this.#options = options;
  }

  /**
   * Requests the user code, once, and starts to poll.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  get userCode(): string | undefined {
    return this.#authorization?.userCode;
  }

  get verificationUri(): string | undefined {
    return this.#authorization?.verificationUri;
  }

  /** When the user code expires; absent until there is one. */
  get expiresAtMs(): number | undefined {
    return this.#authorization?.expiresAtMs;
  }

  /** The maximum time until this server detects that the user has approved. */
  get detectionDelayMs(): number {
    const untilNextMs =
      this.#nextAtMs === undefined ? this.#intervalMs : this.#nextAtMs - this.#options.clock.now();
    return Math.max(untilNextMs, 0) + RESPONSE_MS;
  }

  /** Stops to poll. Tokens from a poll in flight still go to `onGranted`. */
  stop(): void {
    this.#isStopped = true;
    this.#next?.cancel();
    this.#authorization?.deviceCode.wipe();
  }

  async #start(): Promise<void> {
    const authorization = await this.#options.provider.authorizeDevice(this.#options.request);
    this.#authorization = authorization;
    this.#intervalMs = authorization.intervalMs;
    if (this.#isStopped) authorization.deviceCode.wipe();
    else this.#pollAfter(this.#intervalMs, authorization);
  }

  #pollAfter(delayMs: number, authorization: DeviceAuthorization): void {
    const { clock, deadlines, onFailure, onError } = this.#options;
    const atMs = clock.now() + delayMs;
    const { expiresAtMs } = authorization;
    if (atMs >= expiresAtMs) {
      this.#next = deadlines.at(expiresAtMs, () => onFailure('expired'));
      return;
    }
    this.#nextAtMs = atMs;
    this.#next = deadlines.at(atMs, () => void this.#poll(authorization).catch(onError));
  }

  async #poll(authorization: DeviceAuthorization): Promise<void> {
    const { provider, request, onGranted, onFailure } = this.#options;
    this.#nextAtMs = undefined;
    const poll = await provider.pollDevice(authorization.deviceCode, request);
    if (poll.kind === 'granted') return onGranted(poll.granted);
    if (this.#isStopped) return;
    switch (poll.kind) {
      case 'slow_down':
        this.#slowDown(poll.intervalSeconds);
        return this.#pollAgain(poll, authorization);
      case 'pending':
        return this.#pollAgain(poll, authorization);
      case 'unavailable':
        return this.#pollAfter(this.#pauseMs(poll.failure.retryAfterSeconds), authorization);
      case 'refused':
        return onFailure('provider_refused', poll.failure);
      default:
        return onFailure(FAILURES[poll.kind]);
    }
  }

  #slowDown(intervalSeconds = 0): void {
    this.#intervalMs = Math.max(this.#intervalMs + SLOW_DOWN_MS, intervalSeconds * 1000);
  }

  #pollAgain({ retryAfterSeconds = 0 }: RequestedPause, authorization: DeviceAuthorization): void {
    this.#failures = 0;
    this.#pollAfter(Math.max(this.#intervalMs, retryAfterSeconds * 1000), authorization);
  }

  /** Doubles with every failed poll in a row. */
  #pauseMs(retryAfterSeconds = 0): number {
    this.#failures++;
    const maxPauseMs = Math.max(this.#intervalMs, MAX_PAUSE_MS);
    return Math.max(Math.min(this.#intervalMs * 2 ** this.#failures, maxPauseMs), retryAfterSeconds * 1000);
  }
}
