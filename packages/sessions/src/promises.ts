/**
 * The same promise, whose rejection does not end the process where nobody waits for it (`unhandledRejection`). A caller
 * that does wait is told of it as ever.
 * @param report hears why it was rejected, in either case
 */
export function handled<T>(
  promise: Promise<T>,
  report: (reason: unknown) => void = () => undefined,
): Promise<T> {
  promise.catch(report);
  return promise;
}

/** Whether a value has to be waited for. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
