import { isSignedIn, type SessionRecord, type SessionSnapshot } from './session-record.js';

/**
 * A change of a session by another node, for the parts of this node that keep something of the session. It is not an
 * event: the other node has emitted the events.
 *
 * - `session.account_lost`: an account has no tokens any more, or was removed.
 * - `session.changed`: anything else.
 */
export interface ChangeElsewhere extends SessionSnapshot {
  readonly type: 'session.ended' | 'session.signed_out' | 'session.account_lost' | 'session.changed';
}

/** What is compared with a later record. */
interface Known {
  /** Tells the next session of an owner, which has the same reference, from this one. */
  readonly createdAtMs: number;
  readonly epoch: number;
  readonly isSignedIn: boolean;
  /** The accounts with tokens. */
  readonly users: readonly string[];
}

/** A session that this process keeps something of, and that other nodes may change. */
export class FollowedSession {
  /** The number of other parts of this process that keep something of it. */
  holds = 0;
  /** Ends the subscription to its messages. */
  readonly unfollow: () => void;
  #known: Known | undefined;

  constructor(unfollow: () => void) {
    this.unfollow = unfollow;
  }

  /** Notes what is known of the session. */
  note(record: SessionRecord): void {
    this.#known = knownOf(record);
  }

  /** What has happened to the session since the record that was noted last. */
  changeTo(record: SessionRecord | undefined): ChangeElsewhere['type'] {
    const before = this.#known;
    if (!record || (before && record.createdAtMs !== before.createdAtMs)) return 'session.ended';
    // The answer of its first read is on the way: the session may have been another one.
    if (!before) return 'session.signed_out';
    const after = knownOf(record);
    if (after.epoch !== before.epoch) return before.isSignedIn ? 'session.signed_out' : 'session.changed';
    const hasLost = before.users.some((user) => !after.users.includes(user));
    return hasLost ? 'session.account_lost' : 'session.changed';
  }
}

function knownOf(record: SessionRecord): Known {
  const { createdAtMs, epoch, accounts } = record;
  const withTokens = Object.values(accounts).filter(({ sealed }) => sealed !== undefined);
  const users = withTokens.map(({ provider, subject }) => JSON.stringify([provider, subject]));
  return { createdAtMs, epoch, isSignedIn: isSignedIn(record), users };
}
