/**
 * Why an object cannot be sent as JSON, and in which of its properties; `undefined` if it can. Strings cost nothing to
 * look at, so that a large text is not written twice.
 */
export function unsendablePartOf(value: object): string | undefined {
  const above = new Set<unknown>([value]);
  try {
    for (const [name, inner] of Object.entries(value)) {
      const found = look(inner, above);
      if (found !== undefined) return `${name} has ${found}`;
    }
    return undefined;
  } catch (error) {
    // A property that throws when it is read, or nesting that is too deep to be walked.
    return `reading it throws ${error instanceof Error ? error.name : typeof error}`;
  }
}

function look(value: unknown, above: Set<unknown>): string | undefined {
  if (typeof value === 'bigint') return 'a BigInt';
  if (typeof value !== 'object' || value === null) return undefined;
  if (above.has(value)) return 'a cycle';
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    // What it makes of itself is what is sent, and making it may throw.
    JSON.stringify(value);
    return undefined;
  }
  above.add(value);
  for (const inner of Array.isArray(value) ? value : Object.values(value)) {
    const found = look(inner, above);
    if (found !== undefined) return found;
  }
  above.delete(value);
  return undefined;
}
