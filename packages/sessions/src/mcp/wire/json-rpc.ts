/** An own property of a value of unknown type. */
export function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** The method of a request or notification. */
export function methodOf(body: unknown): unknown {
  return propertyOf(body, 'method');
}

/** The messages in a body: one or, in revision 2025-03-26, a batch. */
export function messagesOf(body: unknown): readonly unknown[] {
  return Array.isArray(body) ? body : [body];
}

/** The ids of the requests in a body. */
export function requestIdsOf(body: unknown): unknown[] {
  return messagesOf(body)
    .filter((message) => methodOf(message) !== undefined && propertyOf(message, 'id') !== undefined)
    .map((message) => propertyOf(message, 'id'));
}

/** The maximum length of a request id and of a progress token. Both are kept while the request is in flight. */
export const MAX_ID_CHARACTERS = 256;

/** The name of the first field in a body that is too long: a request id or a progress token. */
export function oversizedIdOf(body: unknown): 'id' | 'progressToken' | undefined {
  for (const message of messagesOf(body)) {
    if (isTooLong(propertyOf(message, 'id'))) return 'id';
    const meta = propertyOf(propertyOf(message, 'params'), '_meta');
    if (isTooLong(propertyOf(meta, 'progressToken'))) return 'progressToken';
  }
  return undefined;
}

function isTooLong(id: unknown): boolean {
  return typeof id === 'string' && id.length > MAX_ID_CHARACTERS;
}
