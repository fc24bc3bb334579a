/**
 * The controllers of linked signals. An entry lives as long as its signal, so listeners need not keep a reference to
 * either.
 */
const controllers = new WeakMap<AbortSignal, AbortController>();
/** The signals that follow a signal. */
const followersOf = new WeakMap<AbortSignal, Followers>();
const collected = new FinalizationRegistry<() => void>((forget) => forget());

type Followers = Set<WeakRef<AbortSignal>>;

/**
 * A signal that aborts with the first of the given signals, like `AbortSignal.any`. In Node 20, `AbortSignal.any`
 * leaves a weak reference in each of the given signals for as long as it lives, and a session lives longer than its
 * calls.
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

/** How many following signals exist that are not garbage-collected yet. */
export function followersOfSignal(source: AbortSignal): number {
  return followersOf.get(source)?.size ?? 0;
}
