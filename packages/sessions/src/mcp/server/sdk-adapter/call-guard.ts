import { SdkError, SdkErrorCode, type ServerContext } from '@modelcontextprotocol/server';
import { linkedSignal } from '../../../account/linked-signal.js';
import { handled } from '../../../time/promises.js';
import { withRequestProperties } from '../../request/call-context.js';

type Requests = ServerContext['mcpReq'];

/** A call while its handler runs. */
export interface GuardedCall {
  readonly context: ServerContext;
  /** Notes that the handler has returned. What it sends after that is dropped or rejected. */
  end(): void;
}

/**
 * Guards a call against what its handler sends after its end, or without `await`. Notifications of an ended call are
 * dropped. Requests to the client reject, and an unhandled rejection does not end the process. The signal does not
 * abort after the handler has returned: in the 2026 era the SDK aborts it after every call, including successful ones.
 * @param signOut aborts the handler's signal, too
 * @param report called with each error
 */
export function guardCall(
  context: ServerContext,
  signOut: AbortSignal | undefined,
  report: (error: unknown) => void,
): GuardedCall {
  const { mcpReq } = context;
  const source = signOut ? linkedSignal(mcpReq.signal, signOut) : mcpReq.signal;
  const { signal, release } = guardedSignal(source, report);
  // One of several signatures; the arguments are passed on unchanged.
  const send = mcpReq.send as (...given: unknown[]) => Promise<unknown>;
  let isOver = false;
  const isLate = () => isOver || mcpReq.signal.aborted;
  const reportUnlessLate = (error: unknown) => isLate() || report(error);
  const tell =
    <Given extends unknown[]>(send: (...given: Given) => Promise<void>) =>
    (...given: Given) =>
      isLate() ? Promise.resolve() : handled(send(...given).catch(unless(isLate)), report);
  const ask =
    <Given extends unknown[], T>(send: (...given: Given) => Promise<T>) =>
    (...given: Given) =>
      isLate() ? handled(Promise.reject(tooLate())) : handled(send(...given));
  return {
    context: withRequestProperties(context, {
      signal,
      notify: tell(mcpReq.notify),
      log: tell(mcpReq.log),
      send: ask((...given: unknown[]) => handled(send(...given), reportUnlessLate)) as Requests['send'],
      elicitInput: ask(mcpReq.elicitInput),
      requestSampling: ask(mcpReq.requestSampling) as Requests['requestSampling'],
    }),
    end: () => {
      isOver = true;
      release();
    },
  };
}

/** Rethrows an error, unless it has become irrelevant. */
function unless(isMeaningless: () => boolean): (error: unknown) => void {
  return (error) => {
    if (!isMeaningless()) throw error;
  };
}

function tooLate(): SdkError {
  return new SdkError(
    SdkErrorCode.ConnectionClosed,
    'This request has ended, so its client can no longer be asked. Ask before the handler returns.',
  );
}

/** A signal for the author's code. */
interface GuardedSignal {
  readonly signal: AbortSignal;
  /** Stops following the source signal. */
  release(): void;
}

/** Runs a handler whose signal aborts when its session is signed out, besides its other reasons. */
export async function runUntilSignOut(
  context: ServerContext,
  signOut: AbortSignal | undefined,
  report: (error: unknown) => void,
  run: (context: ServerContext) => unknown,
): Promise<unknown> {
  if (!signOut) return run(context);
  const { signal, release } = guardedSignal(linkedSignal(context.mcpReq.signal, signOut), report);
  try {
    return await run(withRequestProperties(context, { signal }));
  } finally {
    release();
  }
}

/**
 * A signal that aborts when the source signal does, until it is released. Reports errors of its listeners. With a
 * signal of Node, such an error would end the process (`uncaughtException`).
 */
function guardedSignal(source: AbortSignal, report: (error: unknown) => void): GuardedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  guardListeners(signal, report);
  const abort = () => controller.abort(source.reason);
  if (source.aborted) abort();
  else source.addEventListener('abort', abort, { once: true });
  return { signal, release: () => source.removeEventListener('abort', abort) };
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
