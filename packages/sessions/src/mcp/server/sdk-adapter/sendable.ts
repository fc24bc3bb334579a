import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { AuthorError } from '../../../errors.js';
import { handled, isThenable } from '../../../time/promises.js';
import { errorResult } from '../../tools/tool-result.js';
import { propertyOf } from '../../wire/json-rpc.js';

/** A result if it can be sent as JSON, or an error in its place. */
export function sendableResult(
  method: string,
  request: unknown,
  { result, onError }: { readonly result: unknown; readonly onError: (error: unknown) => void },
): unknown {
  const isObject = typeof result === 'object' && result !== null;
  const part = isObject
    ? unsendablePartOf(result)
    : `it is ${result === null ? 'null' : typeof result}, not an object`;
  if (part === undefined) return result;
  const name = propertyOf(propertyOf(request, 'params'), 'name');
  const what = typeof name === 'string' ? `${method} "${name.slice(0, 64)}"` : method;
  onError(new AuthorError(`The result of ${what} cannot be sent as JSON: ${part}.`));
  const message =
    'The result of this call cannot be sent as JSON. Tell the operator of this server: the log has the error.';
  if (method === 'tools/call') return errorResult(message);
  throw new ProtocolError(ProtocolErrorCode.InternalError, message);
}

/**
 * An error that can be sent. The SDK answers with the error's code, message and data, and does not answer if it cannot
 * read or send them.
 */
export function sendableError(error: unknown, onError: (error: unknown) => void): unknown {
  const message = messageOf(error);
  if (message !== undefined && isReadable(error)) return error;
  onError(error);
  return new ProtocolError(
    ProtocolErrorCode.InternalError,
    message ??
      'The server failed to process the request. Tell the operator of this server: the log has the error.',
  );
}

/** Whether an object can be sent as JSON. */
export function isSendable(value: object): boolean {
  return unsendablePartOf(value) === undefined;
}

function messageOf(error: unknown): string | undefined {
  try {
    return error instanceof Error && typeof error.message === 'string' ? error.message : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the code and the data of an error can be read and sent. */
function isReadable(error: unknown): boolean {
  try {
    const { code, data } = error as { readonly code?: unknown; readonly data?: unknown };
    return typeof code !== 'bigint' && unsendablePartOf({ data }) === undefined;
  } catch {
    return false;
  }
}

/**
 * Why an object cannot be sent as JSON, and in which of its properties; `undefined` if it can. Does not serialize the
 * object, so that a large text is not serialized twice. A promise that is not awaited cannot be sent; its rejection
 * does not end the process.
 */
function unsendablePartOf(value: object): string | undefined {
  const above = new Set<unknown>([value]);
  let part: string | undefined;
  try {
    for (const [name, inner] of Object.entries(value)) {
      const found = look(inner, above);
      if (found !== undefined) part ??= `${name} has ${found}`;
    }
    return part;
  } catch (error) {
    // A property throws when it is read, or the object is nested too deeply.
    return `reading it throws ${error instanceof Error ? error.name : typeof error}`;
  }
}

/** Checks the whole value, also after the first finding: every promise in it has to be handled. */
function look(value: unknown, above: Set<unknown>): string | undefined {
  if (typeof value === 'bigint') return 'a BigInt';
  if (typeof value !== 'object' || value === null) return undefined;
  if (above.has(value)) return 'a cycle';
  if (isThenable(value)) {
    void handled(Promise.resolve(value));
    return 'a promise; `await` it';
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    // The result of `toJSON` is sent, and `toJSON` may throw.
    JSON.stringify(value);
    return undefined;
  }
  above.add(value);
  let part: string | undefined;
  for (const inner of Array.isArray(value) ? value : Object.values(value)) part = look(inner, above) ?? part;
  above.delete(value);
  return part;
}
