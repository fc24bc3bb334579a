import { SdkError, SdkErrorCode, type ServerContext } from '@modelcontextprotocol/server';
import { guardedSignal } from '../../../time/guarded-signal.js';
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
  const { signal, release } = guardedSignal(signOut ? [mcpReq.signal, signOut] : [mcpReq.signal], report);
  // One of several signatures; the arguments are passed on unchanged.
  const send = mcpReq.send as (...given: unknown[]) => Promise<unknown>;
  let isOver = false;
  const isLate = () => isOver || mcpReq.signal.aborted;
  const reportUnlessLate = (error: unknown) => isLate() || report(error);
  const guardNotification =
    <Given extends unknown[]>(send: (...given: Given) => Promise<void>) =>
    (...given: Given) =>
      isLate() ? Promise.resolve() : handled(send(...given).catch(unless(isLate)), report);
  const guardRequest =
    <Given extends unknown[], T>(send: (...given: Given) => Promise<T>) =>
    (...given: Given) =>
      isLate() ? handled(Promise.reject(tooLate())) : handled(send(...given));
  return {
    context: withRequestProperties(context, {
      signal,
      notify: guardNotification(mcpReq.notify),
      log: guardNotification(mcpReq.log),
      send: guardRequest((...given: unknown[]) =>
        handled(send(...given), reportUnlessLate),
      ) as Requests['send'],
      elicitInput: guardRequest(mcpReq.elicitInput),
      requestSampling: guardRequest(mcpReq.requestSampling) as Requests['requestSampling'],
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

/** The error of a request to the client after the end of the call. */
export function tooLate(): SdkError {
  return new SdkError(
    SdkErrorCode.ConnectionClosed,
    'This request has ended, so its client can no longer be asked. Ask before the handler returns.',
  );
}

/** Runs a handler whose signal aborts when its session is signed out, besides its other reasons. */
export async function runUntilSignOut(
  context: ServerContext,
  signOut: AbortSignal | undefined,
  report: (error: unknown) => void,
  run: (context: ServerContext) => unknown,
): Promise<unknown> {
  if (!signOut) return run(context);
  const { signal, release } = guardedSignal([context.mcpReq.signal, signOut], report);
  try {
    return await run(withRequestProperties(context, { signal }));
  } finally {
    release();
  }
}
