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
  /** The number of sessions of the node. */
  readonly size: () => number;
  readonly isPresent: (ref: SessionRef) => boolean;
  /** Ends a session that makes room for another one, unless a user has logged in. */
  readonly evict: (ref: SessionRef) => Promise<void>;
  /** Whether the node has a session. */
  readonly has: (ref: SessionRef) => boolean;
  readonly onError: (error: unknown) => void;
}

const RETRY_WHEN_FULL_SECONDS = 60;

/**
 * The capacity of a node for sessions. On a full node, a session without a login is evicted for a new one.
 */
export class SessionCapacity {
  readonly #options: SessionCapacityOptions;
  readonly #anonymous: AnonymousSessions;
  /** Sessions that are being evicted. They do not count towards the maximum. */
  readonly #evicting = new Set<SessionRef>();
  #starting = 0;

  constructor(options: SessionCapacityOptions) {
    this.#options = options;
    this.#anonymous = new AnonymousSessions(options);
  }

  /**
   * Creates a session if there is room, or room can be made.
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

  /** Adds a session without a login. @param quotaKey the address or user that it counts for, if any */
  addAnonymous(ref: SessionRef, quotaKey: string | undefined): void {
    this.#anonymous.add(ref, quotaKey);
  }

  /** Notes a request of a session. */
  touch(ref: SessionRef): void {
    this.#anonymous.touch(ref);
  }

  /** Notes that a session has no login any more. @param account its last account, if known */
  signedOut(ref: SessionRef, account: string | undefined): void {
    if (this.#anonymous.has(ref) || this.#evicting.has(ref)) return;
    // Many users can share an address. A session that had a login counts for its account instead.
    this.#anonymous.add(ref, account);
  }

  /** Removes a session that has a login now, or has ended. */
  remove(ref: SessionRef): void {
    this.#anonymous.delete(ref);
    // At once: an ended session must not be counted as one that is still being evicted.
    this.#evicting.delete(ref);
  }

  #makeRoomAt(clientKey: ClientKey): void {
    try {
      const idle = this.#anonymous.evictionCandidateOf(clientKey);
      if (idle) this.#evict(idle);
    } catch (error) {
      this.#options.events.emit({ type: 'session.refused', reason: 'address' });
      throw error;
    }
  }

  /** Runs within one tick with the creation, so that no two calls evict the same session. */
  #makeRoom(): void {
    const { size, maxSessions, maxAnonymousSessions, events } = this.#options;
    const isFull = size() - this.#evicting.size + this.#starting >= maxSessions;
    if (!isFull && this.#anonymous.size + this.#starting < maxAnonymousSessions) return;
    const candidate = this.#anonymous.evictionCandidate();
    if (candidate) {
      this.#evict(candidate);
      return;
    }
    events.emit({ type: 'session.refused', reason: 'cap' });
    throw new SessionError(
      'limit_reached',
      'This server has the maximum number of sessions. Try again in a minute.',
      { retryAfterSeconds: RETRY_WHEN_FULL_SECONDS },
    );
  }

  #evict(ref: SessionRef): void {
    const quotaKey = this.#anonymous.delete(ref);
    this.#evicting.add(ref);
    this.#end(ref, quotaKey).catch(this.#options.onError);
  }

  async #end(ref: SessionRef, quotaKey: string | undefined): Promise<void> {
    try {
      await this.#options.evict(ref);
    } catch (error) {
      // The session stays, and may be evicted later.
      if (this.#options.has(ref)) this.#anonymous.add(ref, quotaKey);
      throw error;
    } finally {
      this.#evicting.delete(ref);
    }
  }
}
