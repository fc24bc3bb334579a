import type { GrantedTokens } from '../../account/refresh/granted-tokens.js';
import type { DeviceAuthorization } from '../../provider/device-authorization.js';
import type { Provider } from '../../provider/provider.js';
import type { LoginFailure } from '../../session/session-events.js';
import type { Clock } from '../../time/clock.js';
import type { Deadline, Deadlines } from '../../time/deadlines.js';

export interface DeviceLoginOptions {
  readonly provider: Pick<Provider, 'authorizeDevice' | 'pollDevice'>;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** The user has approved. Comes late, too, when nobody wants it any more. */
  readonly onGranted: (granted: GrantedTokens) => void;
  readonly onFailure: (failure: LoginFailure) => void;
}

/** RFC 8628 section 3.5. */
const SLOW_DOWN_MS = 5000;
/** Polls that fail are pressed on with at least so often, unless the provider wants it otherwise. */
const MAX_PAUSE_MS = 60_000;
/** Answers that end it. */
const FAILURES = {
  denied: 'declined',
  expired: 'expired',
  refused: 'provider_refused',
} as const satisfies Record<string, LoginFailure>;
/** How long the answer to a poll may take before whoever waits for it gives up. */
const ANSWER_MS = 3000;

/**
 * One login by the device flow (RFC 8628): the code that the user types in at the provider, and the polls that ask
 * what came of it, one at a time.
 */
export class DeviceLogin {
  readonly #options: DeviceLoginOptions;
  #authorization: DeviceAuthorization | undefined;
  #begun: Promise<void> | undefined;
  #intervalMs = 0;
  /** How many polls in a row have brought no answer. */
  #failed = 0;
  #nextAtMs: number | undefined;
  #next: Deadline | undefined;
  #isOver = false;

  constructor(options: DeviceLoginOptions) {
    this.#options = options;
  }

  /**
   * Asks the provider for the code, once, and starts to poll.
   * @throws SessionError `provider_unavailable`, `provider_refused`
   */
  begin(): Promise<void> {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  get userCode(): string | undefined {
    return this.#authorization?.userCode;
  }

  get verificationUri(): string | undefined {
    return this.#authorization?.verificationUri;
  }

  /** When the provider forgets the code; absent until there is one. */
  get expiresAtMs(): number | undefined {
    return this.#authorization?.expiresAtMs;
  }

  /** How long it takes, at most, until what the user has just done is known here. */
  get knownWithinMs(): number {
    const untilNextMs =
      this.#nextAtMs === undefined ? this.#intervalMs : this.#nextAtMs - this.#options.clock.now();
    return Math.max(untilNextMs, 0) + ANSWER_MS;
  }

  /** Asks no more. What a poll under way brings still goes to `onGranted`. */
  stop(): void {
    this.#isOver = true;
    this.#next?.cancel();
    this.#authorization?.deviceCode.wipe();
  }

  async #begin(): Promise<void> {
    const authorization = await this.#options.provider.authorizeDevice();
    this.#authorization = authorization;
    this.#intervalMs = authorization.intervalMs;
    if (this.#isOver) authorization.deviceCode.wipe();
    else this.#pollAfter(this.#intervalMs, authorization);
  }

  #pollAfter(delayMs: number, authorization: DeviceAuthorization): void {
    const { clock, deadlines, onFailure } = this.#options;
    const atMs = clock.now() + delayMs;
    const { expiresAtMs } = authorization;
    if (atMs >= expiresAtMs) {
      this.#next = deadlines.at(expiresAtMs, () => onFailure('expired'));
      return;
    }
    this.#nextAtMs = atMs;
    this.#next = deadlines.at(atMs, () => void this.#poll(authorization));
  }

  async #poll(authorization: DeviceAuthorization): Promise<void> {
    const { provider, onGranted, onFailure } = this.#options;
    this.#nextAtMs = undefined;
    const poll = await provider.pollDevice(authorization.deviceCode);
    if (poll.kind === 'granted') return onGranted(poll.granted);
    if (this.#isOver) return;
    switch (poll.kind) {
      case 'pending':
        this.#failed = 0;
        return this.#pollAfter(this.#intervalMs, authorization);
      case 'slow_down':
        this.#failed = 0;
        this.#intervalMs += SLOW_DOWN_MS;
        return this.#pollAfter(this.#intervalMs, authorization);
      case 'unavailable':
        return this.#pollAfter(this.#pauseMs(poll.retryAfterSeconds), authorization);
      default:
        return onFailure(FAILURES[poll.kind]);
    }
  }

  /** Twice as long for every poll in a row that brings no answer. */
  #pauseMs(retryAfterSeconds = 0): number {
    this.#failed++;
    const longest = Math.max(this.#intervalMs, MAX_PAUSE_MS);
    return Math.max(Math.min(this.#intervalMs * 2 ** this.#failed, longest), retryAfterSeconds * 1000);
  }
}
