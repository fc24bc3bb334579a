import type { SessionRef } from '../../session/ids.js';
import { isSignedIn, type SessionRecord } from '../../session/session-record.js';
import type { ShareLimit } from '../../session/session-store.js';
import type { Clock } from '../../time/clock.js';
import { FairShares } from './fair-shares.js';
import type { SessionRows } from './session-rows.js';

export interface RowGroupsOptions {
  readonly clock: Clock;
  readonly rows: SessionRows;
  /** Whether the client of a session is present. */
  readonly isPresent: (ref: SessionRef) => boolean;
}

/** Whether a share has room for another session, perhaps instead of one of its own. */
type Room = { readonly instead: number | undefined } | { readonly waitMs: number };

/**
 * The sessions without a login, and the owned connections, in their shares (`quotaKey`): the order in which they are
 * evicted.
 */
export class RowGroups {
  readonly #options: RowGroupsOptions;
  readonly #anonymous = new FairShares();
  readonly #connections = new FairShares();

  constructor(options: RowGroupsOptions) {
    this.#options = options;
  }

  /** The number of sessions without a login. Owned connections do not count. */
  get anonymous(): number {
    return this.#anonymous.size;
  }

  /** The number of owned connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Whether a session counts as one without a login. */
  isAnonymous(record: SessionRecord): boolean {
    return this.#groupOf(record) === this.#anonymous;
  }

  /** Whether a row is that of a session without a login. */
  hasAnonymous(row: number | undefined): boolean {
    return row !== undefined && this.#anonymous.has(row);
  }

  /** Moves a row if its share is another one than before. @param before absent: a new row */
  change(row: number, before: SessionRecord | undefined, after: SessionRecord): void {
    const group = this.#groupOf(after);
    if (before && group === this.#groupOf(before) && after.quotaKey === before.quotaKey) return;
    this.remove(row);
    group?.add(row, after.quotaKey);
  }

  /** Makes a row the newest of its share. */
  renew(row: number): void {
    this.#anonymous.renew(row);
    this.#connections.renew(row);
  }

  remove(row: number): void {
    this.#anonymous.delete(row);
    this.#connections.delete(row);
  }

  /** Whether a session may be added to its share. */
  roomFor(record: SessionRecord, { max, minIdleMs }: ShareLimit): Room {
    const { clock, rows, isPresent } = this.#options;
    const group = this.#groupOf(record);
    if (!group || group.sizeOf(record.quotaKey) < max) return { instead: undefined };
    for (const row of group.of(record.quotaKey)) {
      if (isPresent(rows.refOf(row))) continue;
      const waitMs = rows.lastRequestAtMs.get(row) + minIdleMs - clock.now();
      return waitMs > 0 ? { waitMs } : { instead: row };
    }
    return { waitMs: minIdleMs };
  }

  /** The longest idle session of the largest share of those without a login. */
  longestIdleOfLargest(): number | undefined {
    return this.#anonymous.oldestOfLargest();
  }

  /** A session with a login has no share. */
  #groupOf(record: SessionRecord): FairShares | undefined {
    if (record.kind === 'owned-connection') return this.#connections;
    return isSignedIn(record) ? undefined : this.#anonymous;
  }
}
