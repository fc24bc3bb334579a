import { handled, isThenable } from '../promises.js';

/**
 * Why an object cannot be sent as JSON, and in which of its properties; `undefined` if it can. Strings cost nothing to
 * look at, so that a large text is not written twice. A promise that an author forgot to wait for is no value, and its
 * rejection ends no process.
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
    // A property that throws when it is read, or nesting that is too deep to be walked.
    return `reading it throws ${error instanceof Error ? error.name : typeof error}`;
  }
}

/** Looks at all of it, whatever it finds first: every promise in it has to be handled. */
function look(value: unknown, above: Set<unknown>): string | undefined {
  if (typeof value === 'bigint') return 'a BigInt';
  if (typeof value !== 'object' || value === null) return undefined;
  if (above.has(value)) return 'a cycle';
  if (isThenable(value)) {
    void handled(Promise.resolve(value));
    return 'a promise; `await` it';
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    // What it makes of itself is what is sent, and making it may throw.
    JSON.stringify(value);
    return undefined;
  }
  above.add(value);
  let part: string | undefined;
  for (const inner of Array.isArray(value) ? value : Object.values(value)) part = look(inner, above) ?? part;
  above.delete(value);
  return part;
}
