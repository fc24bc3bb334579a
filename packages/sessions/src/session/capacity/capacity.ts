import { SessionError } from '../../errors.js';
import type { ClientKey } from '../../limits/client-key.js';
import type { Clock } from '../../time/clock.js';
import type { SessionRef } from '../ids.js';
import type { SessionEvents } from '../session-events.js';
import { AnonymousSessions } from './anonymous-sessions.js';

export interface SessionCapacityOptions {
  readonly clock: Clock;
  readonly events: SessionEvents;
  readonly maxSessions: number;
  /** The maximum number of sessions without a login. */
  readonly maxAnonymousSessions: number;
  readonly maxPerAddress: number;
  /** How many sessions there are. */
  readonly size: () => number;
  readonly isPresent: (ref: SessionRef) => boolean;
  /** Ends a session for another one, unless somebody is quicker to log in to it. */
  readonly evict: (ref: SessionRef) => Promise<void>;
  /** Whether a session that could not be crowded out is still there. */
  readonly has: (ref: SessionRef) => boolean;
  readonly onError: (error: unknown) => void;
}

const RETRY_WHEN_FULL_SECONDS = 60;

/**
 * The places of a node: how many sessions there may be, and which of those in which nobody is logged in has to
 * make room for another one.
 */
export class SessionCapacity {
  readonly #options: SessionCapacityOptions;
  readonly #anonymous: AnonymousSessions;
  /** Sessions that are being ended to make room; their places are given away already. */
  readonly #leaving = new Set<SessionRef>();
  #starting = 0;

  constructor(options: SessionCapacityOptions) {
    this.#options = options;
    this.#anonymous = new AnonymousSessions(options);
  }

  /**
   * Starts a session where there is room for it, or room can be made.
   * @throws SessionError `limit_reached`, `too_many_requests`
   */
  async take<T>(start: () => Promise<T>, clientKey?: ClientKey): Promise<T> {
    if (clientKey !== undefined) this.#makeRoomAt(clientKey);
    this.#makeRoom();
    this.#starting++;
    const started = clientKey === undefined ? undefined : this.#anonymous.starting(clientKey);
    try {
      return await start();
    } finally {
      this.#starting--;
      started?.();
    }
  }

  /** Notes a session in which nobody is logged in. @param quotaKey the address or user it counts for, if for any */
  anonymous(ref: SessionRef, quotaKey: string | undefined): void {
    this.#anonymous.add(ref, quotaKey);
  }

  /** Notes a request of a session. */
  touch(ref: SessionRef): void {
    this.#anonymous.touch(ref);
  }

  /** Notes that nobody is logged in to a session any more. @param account the last one, if that is known */
  signedOut(ref: SessionRef, account: string | undefined): void {
    if (this.#anonymous.has(ref) || this.#leaving.has(ref)) return;
    // An address is many people's, and does not answer for those who have said who they are.
    this.#anonymous.add(ref, account);
  }

  /** Notes that a session need not make room any more: somebody has logged in to it, or it has ended. */
  keep(ref: SessionRef): void {
    this.#anonymous.delete(ref);
    // At once: a place that is free already must not be counted as one that will be.
    this.#leaving.delete(ref);
  }

  #makeRoomAt(clientKey: ClientKey): void {
    try {
      const quiet = this.#anonymous.toMakeRoomAt(clientKey);
      if (quiet) this.#giveAway(quiet);
    } catch (error) {
      this.#options.events.emit({ type: 'session.refused', reason: 'address' });
      throw error;
    }
  }

  /** Within one tick with whoever takes the room, so that no two take the same. */
  #makeRoom(): void {
    const { size, maxSessions, maxAnonymousSessions, events } = this.#options;
    const isFull = size() - this.#leaving.size + this.#starting >= maxSessions;
    if (!isFull && this.#anonymous.size + this.#starting < maxAnonymousSessions) return;
    const longestUnheard = this.#anonymous.toMakeRoom();
    if (longestUnheard) {
      this.#giveAway(longestUnheard);
      return;
    }
    events.emit({ type: 'session.refused', reason: 'cap' });
    throw new SessionError(
      'limit_reached',
      'This server holds as many sessions as it may. Try again in a minute.',
      { retryAfterSeconds: RETRY_WHEN_FULL_SECONDS },
    );
  }

  #giveAway(ref: SessionRef): void {
    const quotaKey = this.#anonymous.delete(ref);
    this.#leaving.add(ref);
    this.#leave(ref, quotaKey).catch(this.#options.onError);
  }

  async #leave(ref: SessionRef, quotaKey: string | undefined): Promise<void> {
    try {
      await this.#options.evict(ref);
    } catch (error) {
      // It stays, and may have to make room another time.
      if (this.#options.has(ref)) this.#anonymous.add(ref, quotaKey);
      throw error;
    } finally {
      this.#leaving.delete(ref);
    }
  }
}
