/** Aborts a signal for as long as that is not collected; it need not be held by anybody who listens to the signal. */
const controllers = new WeakMap<AbortSignal, AbortController>();
/** Those that follow a signal. */
const followersOf = new WeakMap<AbortSignal, Followers>();
const collected = new FinalizationRegistry<() => void>((forget) => forget());

type Followers = Set<WeakRef<AbortSignal>>;

/**
 * A signal that aborts with the first of others, as one of `AbortSignal.any` does. That one leaves a weak reference
 * behind in each of the others for as long as they live (Node 20), and a session outlives any number of calls.
 */
export function linkedSignal(...sources: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = sources.find((source) => source.aborted);
  if (aborted) controller.abort(aborted.reason);
  else {
    controllers.set(signal, controller);
    for (const source of sources) follow(source, signal);
  }
  return signal;
}

function follow(source: AbortSignal, signal: AbortSignal): void {
  const followers = followersOf.get(source) ?? new Set();
  if (!followersOf.has(source)) {
    followersOf.set(source, followers);
    source.addEventListener('abort', () => abortAll(followers, source.reason), { once: true });
  }
  const follower = new WeakRef(signal);
  followers.add(follower);
  collected.register(signal, () => followers.delete(follower));
}

function abortAll(followers: Followers, reason: unknown): void {
  for (const follower of followers) {
    const signal = follower.deref();
    if (signal) controllers.get(signal)?.abort(reason);
  }
  followers.clear();
}

/** How many signals follow another one and are not collected yet. */
export function followersOfSignal(source: AbortSignal): number {
  return followersOf.get(source)?.size ?? 0;
}
