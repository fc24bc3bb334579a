import type { LoginFailure } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { digestOf, isSameDigest } from '../vault/secret-digest.js';
import type { LoginAttempt } from './login-attempt.js';

/** About as long as a login may last: whoever comes back later has forgotten it, too. */
export const FAILED_LOGIN_KEPT_MS: number = 10 * 60 * 1000;
const MAX_FAILED_LOGINS = 4096;

interface EndedLogin {
  readonly failure: LoginFailure;
  readonly untilMs: number;
  /** What the last browser to agree is known by; absent if none did. */
  readonly trip: LoginAttempt['lastTrip'];
}

/**
 * Remembers for ten minutes why logins failed, so that whoever comes back to one is told. Nothing else is kept of
 * them, and it is found by digests of what only their links, and the browsers that followed them, know.
 */
export class FailedLogins {
  readonly #clock: Clock;
  readonly #byLink = new Map<string, EndedLogin>();
  /** By the state that a browser took to the provider: the digest of the link. */
  readonly #linkByState = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add({ id, lastTrip }: Pick<LoginAttempt, 'id' | 'lastTrip'>, failure: LoginFailure): void {
    const link = digestOf(id);
    const untilMs = this.#clock.now() + FAILED_LOGIN_KEPT_MS;
    this.#byLink.set(link, { failure, untilMs, trip: lastTrip });
    if (lastTrip) this.#linkByState.set(lastTrip.stateDigest, link);
    this.#makeRoom();
  }

  /** Why the login of a link failed. */
  failureOf(attemptId: string): LoginFailure | undefined {
    return this.#find(digestOf(attemptId))?.failure;
  }

  /**
   * Why the login failed that a browser comes back to from the provider. Only the browser is told that agreed last.
   * @param cookieOf the secret that this browser keeps for a login, by the digest of its link
   */
  failureAfter(
    state: string,
    cookieOf: (linkDigest: string) => string | undefined,
  ): LoginFailure | undefined {
    const link = this.#linkByState.get(digestOf(state));
    const ended = link === undefined ? undefined : this.#find(link);
    if (link === undefined || !ended?.trip) return undefined;
    const cookie = cookieOf(link);
    const isItsBrowser = cookie !== undefined && isSameDigest(digestOf(cookie), ended.trip.cookieDigest);
    return isItsBrowser ? ended.failure : undefined;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#byLink.clear();
    this.#linkByState.clear();
  }

  #find(link: string): EndedLogin | undefined {
    const ended = this.#byLink.get(link);
    return ended && ended.untilMs > this.#clock.now() ? ended : undefined;
  }

  /** Forgets the oldest: those whose time is over, and those that are too many. */
  #makeRoom(): void {
    for (const [link, { untilMs, trip }] of this.#byLink) {
      if (this.#byLink.size <= MAX_FAILED_LOGINS && untilMs > this.#clock.now()) break;
      this.#byLink.delete(link);
      if (trip) this.#linkByState.delete(trip.stateDigest);
    }
  }
}
