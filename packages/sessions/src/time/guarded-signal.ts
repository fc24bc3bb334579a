import { onAbort } from './on-abort.js';

/** A signal for the author's code. */
export interface GuardedSignal {
  readonly signal: AbortSignal;
  /** Stops following the sources. */
  release(): void;
}

/**
 * A signal that aborts with the first of its sources, until it is released. Until then the sources keep it, and what
 * waits for it. Reports errors of its listeners. With a signal of Node, such an error would end the process
 * (`uncaughtException`).
 */
export function guardedSignal(
  sources: readonly AbortSignal[],
  report: (error: unknown) => void,
): GuardedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  guardListeners(signal, report);
  const releases = sources.map((source) => onAbort(source, () => controller.abort(source.reason)));
  return {
    signal,
    release: () => {
      for (const release of releases) release();
    },
  };
}

type Listener = EventListenerOrEventListenerObject;

function guardListeners(signal: AbortSignal, report: (error: unknown) => void): void {
  const guards = new WeakMap<Listener, EventListener>();
  const guardOf = (listener: Listener): EventListener => {
    const guard = guards.get(listener) ?? ((event) => callGuarded(signal, listener, { event, report }));
    guards.set(listener, guard);
    return guard;
  };
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  let own: Listener | null = null;
  Object.defineProperties(signal, {
    addEventListener: {
      value: (type: string, listener: Listener | null, options?: AddEventListenerOptions) =>
        listener && add(type, guardOf(listener), options),
    },
    removeEventListener: {
      value: (type: string, listener: Listener | null, options?: EventListenerOptions) =>
        listener && remove(type, guardOf(listener), options),
    },
    onabort: {
      get: () => own,
      set: (listener: Listener | null) => {
        if (own) remove('abort', guardOf(own));
        own = listener;
        if (listener) add('abort', guardOf(listener));
      },
    },
  });
}

function callGuarded(
  signal: AbortSignal,
  listener: Listener,
  { event, report }: { readonly event: Event; readonly report: (error: unknown) => void },
): void {
  try {
    const answer: unknown =
      typeof listener === 'function' ? listener.call(signal, event) : listener.handleEvent(event);
    // An asynchronous listener rejects instead.
    Promise.resolve(answer).catch(report);
  } catch (error) {
    report(error);
  }
}
