import { SdkError, SdkErrorCode, type ServerContext } from '@modelcontextprotocol/server';
import { handled } from '../promises.js';
import { withRequestProperties } from './call-context.js';
import { guardedSignal } from './guarded-signal.js';

type Requests = ServerContext['mcpReq'];

/** A call while a handler serves it, and what the handler gets to see of it. */
export interface GuardedCall {
  readonly context: ServerContext;
  /** The handler is done: what it says from now on is too late. */
  end(): void;
}

/**
 * Guards a call against what its handler does too late, or without waiting for it. Notifications of a call that is over
 * are dropped. What its client is asked rejects, and that ends no process. The signal is quiet once the handler is done:
 * where every request stands alone the SDK aborts it after each call, successful ones included.
 * @param report hears what failed
 */
export function guardCall(context: ServerContext, report: (error: unknown) => void): GuardedCall {
  const { mcpReq } = context;
  const { signal, release } = guardedSignal(mcpReq.signal, report);
  // One signature of several, which passes on whatever it is given.
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

/** Lets an error pass, unless something has happened that makes it meaningless. */
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
