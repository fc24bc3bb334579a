/** What runs when a signal aborts. */
const followersOf = new WeakMap<AbortSignal, Set<() => void>>();

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
  followers.add(follower);
  return () => followers.delete(follower);
}

function follow(signal: AbortSignal): Set<() => void> {
  const followers = new Set<() => void>();
  followersOf.set(signal, followers);
  const runAll = () => {
    // A follower may stop another one.
    for (const run of followers) run();
    followers.clear();
  };
  signal.addEventListener('abort', runAll, { once: true });
  return followers;
}

/** How many followers of a signal have not been stopped. */
export function followersOfSignal(signal: AbortSignal): number {
  return followersOf.get(signal)?.size ?? 0;
}
