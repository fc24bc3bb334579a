import { onAbort } from './on-abort.js';

/**
 * The controllers of linked signals. An entry lives as long as its signal, so listeners need not keep a reference to
 * either.
 */
const controllers = new WeakMap<AbortSignal, AbortController>();
const collected = new FinalizationRegistry<() => void>((stop) => stop());

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
  const follower = new WeakRef(signal);
  const stop = onAbort(source, () => {
    const following = follower.deref();
    if (following) controllers.get(following)?.abort(source.reason);
  });
  collected.register(signal, stop);
}
