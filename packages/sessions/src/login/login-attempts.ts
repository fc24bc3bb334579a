import { SessionError } from '../errors.js';
import { FairEviction } from '../limits/fair-eviction.js';
import { DEFAULT_LIMITS } from '../limits/limits.js';
import type { SessionRef } from '../session/ids.js';
import type { Deadline, Deadlines } from '../time/deadlines.js';
import { digestOf } from '../vault/secret-digest.js';
import { type AuthorizationTransaction, type LoginAttempt, quotaKeyOf, wipeChecks } from './login-attempt.js';

/** How many logins one session may have under way. */
const MAX_PER_SESSION = 3;

/** The logins that are under way, found by link, by session, or by the state of a browser at the provider. */
export class LoginAttempts {
  readonly #deadlines: Deadlines;
  readonly #most: number;
  readonly #byId = new Map<string, LoginAttempt>();
  readonly #byState = new Map<string, LoginAttempt>();
  readonly #bySession = new Map<SessionRef, Map<string, LoginAttempt>>();
  readonly #expiries = new Map<LoginAttempt, Deadline>();
  /** By whom they were started. */
  readonly #shares = new FairEviction<LoginAttempt>();

  /** @param most how many logins may be under way on this node */
  constructor(deadlines: Deadlines, most: number = DEFAULT_LIMITS.pendingLogins) {
    this.#deadlines = deadlines;
    this.#most = most;
  }

  /**
   * The attempt that has to make room for another one of `quota key`'s: the oldest in which no user has taken part
   * yet, of whoever has most under way. Users who are at it are interrupted only where somebody has more of them
   * under way than `quota key` has. `undefined` as long as there is room, or when nothing may go.
   */
  toMakeRoom(quotaKey: string): LoginAttempt | undefined {
    if (this.#byId.size < this.#most) return undefined;
    const largest = this.#shares.largest();
    const [oldest] = largest;
    return (
      firstUnattended(largest) ??
      (largest.size > this.#shares.of(quotaKey).size + 1 ? oldest : firstUnattended(this.#byId.values()))
    );
  }

  /** @throws SessionError `limit_reached` when a session has too many of them for another one at `provider`. */
  assertRoomIn(ref: SessionRef, provider: string): void {
    const elsewhere = this.allOf(ref).filter((attempt) => attempt.provider !== provider);
    if (elsewhere.length >= MAX_PER_SESSION)
      throw tooMany('Too many logins are under way here. Finish one, or try again in a minute.');
  }

  /** @throws SessionError `limit_reached` when the node has too many of them. */
  add(attempt: LoginAttempt, onExpiry: () => void): void {
    if (this.#byId.size >= this.#most)
      throw tooMany('This server has too many logins under way. Try again in a minute.');
    const ofSession = this.#bySession.get(attempt.snapshot.ref) ?? new Map<string, LoginAttempt>();
    this.#byId.set(digestOf(attempt.id), attempt);
    this.#shares.add(attempt, quotaKeyOf(attempt.origin));
    ofSession.set(attempt.provider, attempt);
    this.#bySession.set(attempt.snapshot.ref, ofSession);
    this.expireAt(attempt, attempt.expiresAtMs, onExpiry);
  }

  /** Sets when an attempt runs out, in place of what was set before. */
  expireAt(attempt: LoginAttempt, atMs: number, onExpiry: () => void): void {
    this.#expiries.get(attempt)?.cancel();
    this.#expiries.set(attempt, this.#deadlines.at(atMs, onExpiry));
  }

  byId(id: string): LoginAttempt | undefined {
    return this.#byId.get(digestOf(id));
  }

  /** The latest attempt of a session at a provider. */
  of(ref: SessionRef, provider: string): LoginAttempt | undefined {
    return this.#bySession.get(ref)?.get(provider);
  }

  allOf(ref: SessionRef): LoginAttempt[] {
    return [...(this.#bySession.get(ref)?.values() ?? [])];
  }

  /** Notes the browser that consented last; an earlier one's way back is closed. */
  setTrip(attempt: LoginAttempt, trip: AuthorizationTransaction): void {
    this.dropTrip(attempt);
    attempt.trip = trip;
    attempt.lastTrip = { stateDigest: trip.stateDigest, cookieDigest: trip.cookieDigest };
    this.#byState.set(trip.stateDigest, attempt);
  }

  /** Finds the attempt of a callback by its `state`. */
  byState(state: string): { attempt: LoginAttempt; trip: AuthorizationTransaction } | undefined {
    const attempt = this.#byState.get(digestOf(state));
    return attempt?.trip && { attempt, trip: attempt.trip };
  }

  /** Takes the attempt of a callback by its `state`, which is valid once. */
  takeByState(state: string): { attempt: LoginAttempt; trip: AuthorizationTransaction } | undefined {
    const found = this.byState(state);
    if (!found) return undefined;
    this.#byState.delete(found.trip.stateDigest);
    found.attempt.trip = undefined;
    return found;
  }

  remove(attempt: LoginAttempt): void {
    this.dropTrip(attempt);
    attempt.device?.stop();
    this.#byId.delete(digestOf(attempt.id));
    this.#shares.delete(attempt);
    this.#expiries.get(attempt)?.cancel();
    this.#expiries.delete(attempt);
    const ofSession = this.#bySession.get(attempt.snapshot.ref);
    if (ofSession?.get(attempt.provider) === attempt) ofSession.delete(attempt.provider);
    if (ofSession?.size === 0) this.#bySession.delete(attempt.snapshot.ref);
  }

  /** Forgets the browser that consented: its way back is closed. */
  dropTrip(attempt: LoginAttempt): void {
    const { trip } = attempt;
    if (!trip) return;
    this.#byState.delete(trip.stateDigest);
    attempt.trip = undefined;
    wipeChecks(trip.checks);
  }
}

function tooMany(message: string): SessionError {
  return new SessionError('limit_reached', message, { retryAfterSeconds: 60 });
}

function firstUnattended(attempts: Iterable<LoginAttempt>): LoginAttempt | undefined {
  for (const attempt of attempts) if (!attempt.lastTrip) return attempt;
  return undefined;
}
