import { handled, isThenable } from '../../time/promises.js';

/**
 * Why an object cannot be sent as JSON, and in which of its properties; `undefined` if it can. Does not serialize the
 * object, so that a large text is not serialized twice. A promise that is not awaited cannot be sent; its rejection
 * does not end the process.
 */
export function unsendablePartOf(value: object): string | undefined {
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
