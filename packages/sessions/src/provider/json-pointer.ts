const INDEX = /^(?:0|[1-9]\d*)$/;

/**
 * Evaluates a JSON Pointer (RFC 6901) in a value that was parsed from JSON. Only members of the document are found,
 * never inherited properties.
 * @returns `undefined` if the pointer is malformed or the document has no such value
 */
export function valueAt(document: unknown, pointer: string): unknown {
  if (pointer === '') return document;
  if (!isJsonPointer(pointer)) return undefined;
  let value = document;
  for (const token of pointer.slice(1).split('/').map(unescaped)) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value) && !INDEX.test(token)) return undefined;
    if (!Object.hasOwn(value, token)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[token];
  }
  return value;
}

/** Finds a top-level field by its name, or any value by a JSON Pointer, which begins with `/`. */
export function fieldAt(document: unknown, field: string): unknown {
  return valueAt(document, field.startsWith('/') ? field : `/${escaped(field)}`);
}

/** Whether a text is a JSON Pointer (RFC 6901 section 3). */
export function isJsonPointer(text: string): boolean {
  return text === '' || /^\/(?:[^~]|~[01])*$/su.test(text);
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function unescaped(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
