/** What runs when a signal aborts. */
interface Followers {
  readonly runs: Set<() => void>;
  /** Called when the last one has stopped. */
  unfollowed: () => void;
}

const followersOf = new WeakMap<AbortSignal, Followers>();

/**
 * Calls `run` when a signal aborts; at once if it has. However many calls follow a signal, it has one listener: the
 * signal of a session, or of a client, is that of all its calls in flight, and Node warns of a leak if a signal has
 * more than ten listeners (`MaxListenersExceededWarning`).
 * @param run must not throw
 * @returns a function after which `run` is not called
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) {
    run();
    return () => undefined;
  }
  const followers = followersOf.get(signal) ?? follow(signal);
  const follower = () => run();
  followers.runs.add(follower);
  return () => {
    if (followers.runs.delete(follower) && followers.runs.size === 0) followers.unfollowed();
  };
}

/** Calls `run` each time when the last follower of a signal has stopped, before it aborts. */
export function onUnfollowed(signal: AbortSignal, run: () => void): void {
  (followersOf.get(signal) ?? follow(signal)).unfollowed = run;
}

function follow(signal: AbortSignal): Followers {
  const followers: Followers = { runs: new Set(), unfollowed: () => undefined };
  followersOf.set(signal, followers);
  const { runs } = followers;
  const runAll = () => {
    // A follower may stop another one.
    for (const run of runs) run();
    runs.clear();
  };
  signal.addEventListener('abort', runAll, { once: true });
  return followers;
}

/** How many followers of a signal have not been stopped. */
export function followersOfSignal(signal: AbortSignal): number {
  return followersOf.get(signal)?.runs.size ?? 0;
}
