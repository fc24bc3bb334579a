/**
 * The same promise, marked as handled: its rejection does not end the process if no caller awaits it
 * (`unhandledRejection`). A caller that awaits it still receives the rejection.
 * @param report called with the reason of the rejection, in either case
 */
export function handled<T>(
  promise: Promise<T>,
  report: (reason: unknown) => void = () => undefined,
): Promise<T> {
  promise.catch(report);
  return promise;
}

/** Returns a function that calls `load` once, and shares its result. After an error, the next call tries again. */
export function sharedLoad<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}

/** Whether a value is a promise or another thenable. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** The answer of a port: a store in this process answers at once, one behind a network later. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Continues with an answer: in the same tick if it is no promise. An error is thrown or rejects, as the answer came.
 * Use it only where no other code may run in between. Everywhere else, `await` the answer.
 */
export function andThen<T, R>(answer: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return answer instanceof Promise ? answer.then(next) : next(answer);
}
