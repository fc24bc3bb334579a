import { FairEviction } from '../../../packages/sessions/src/limits/fair-eviction.js';
import type { SessionRef } from '../../../packages/sessions/src/session/ids.js';
import { isSignedIn, type SessionRecord } from '../../../packages/sessions/src/session/session-record.js';
import type { ShareLimit } from '../../../packages/sessions/src/session/session-store.js';
import type { Clock } from '../../../packages/sessions/src/time/clock.js';

export interface SessionGroupsOptions {
  readonly clock: Clock;
  /** Whether the client of a session is present. */
  readonly isPresent: (ref: SessionRef) => boolean;
  /** When the client of a session has sent its last request. */
  readonly lastRequestAtMs: (ref: SessionRef) => number;
}

/** Whether a share has room for another session, perhaps instead of one of its own. */
type Room = { readonly instead: SessionRef | undefined } | { readonly waitMs: number };

/**
 * The sessions without a login, and the owned connections, in their shares (`quotaKey`): the order in which they are
 * evicted.
 */
export class SessionGroups {
  readonly #options: SessionGroupsOptions;
  readonly #anonymous = new FairEviction<SessionRef>();
  readonly #connections = new FairEviction<SessionRef>();

  constructor(options: SessionGroupsOptions) {
    this.#options = options;
  }

  /** The number of sessions without a login. Owned connections do not count. */
  get anonymous(): number {
    return this.#anonymous.size;
  }

  /** Whether a session counts as one without a login. */
  isAnonymous(record: SessionRecord): boolean {
    return this.#groupOf(record) === this.#anonymous;
  }

  /** Adds a session to its share as the newest one. */
  add(record: SessionRecord): void {
    this.#groupOf(record)?.add(record.ref, record.quotaKey);
  }

  /** Moves a session if its share is another one than before. */
  change(before: SessionRecord, after: SessionRecord): void {
    const group = this.#groupOf(after);
    if (group === this.#groupOf(before) && after.quotaKey === before.quotaKey) return;
    this.remove(before.ref);
    group?.add(after.ref, after.quotaKey);
  }

  remove(ref: SessionRef): void {
    if (this.#anonymous.delete(ref) === undefined) this.#connections.delete(ref);
  }

  /** Whether a session may be added to its share. */
  roomFor(record: SessionRecord, { max, minIdleMs }: ShareLimit): Room {
    const { clock, isPresent, lastRequestAtMs } = this.#options;
    const share = this.#groupOf(record)?.of(record.quotaKey);
    if (!share || share.size < max) return { instead: undefined };
    const now = clock.now();
    for (const ref of share) {
      if (isPresent(ref)) continue;
      const waitMs = lastRequestAtMs(ref) + minIdleMs - now;
      return waitMs > 0 ? { waitMs } : { instead: ref };
    }
    return { waitMs: minIdleMs };
  }

  /** The longest idle session of the largest share of those without a login. */
  longestIdleOfLargest(): SessionRef | undefined {
    const [longestIdle] = this.#anonymous.largest();
    return longestIdle;
  }

  /** A session with a login has no share. */
  #groupOf(record: SessionRecord): FairEviction<SessionRef> | undefined {
    if (record.kind === 'owned-connection') return this.#connections;
    return isSignedIn(record) ? undefined : this.#anonymous;
  }
}
